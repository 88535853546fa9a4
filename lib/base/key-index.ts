interface Keyed {
  readonly name: string
  readonly key?: string | undefined
}

/** Finds unfinished tasks by name and key. Tasks without a key are not in the index. */
export class KeyIndex<Item> {
  #items: Map<string, Item> | undefined = undefined

  find (keyed: Keyed): Item | undefined {
    return keyed.key === undefined ? undefined : this.#items?.get(placeOf(keyed))
  }

  set (keyed: Keyed, item: Item): void {
    if (keyed.key !== undefined) (this.#items ??= new Map()).set(placeOf(keyed), item)
  }

  /** Frees the key, unless another item has taken it. */
  remove (keyed: Keyed, item: Item): void {
    if (this.find(keyed) === item) this.#items?.delete(placeOf(keyed))
  }
}

function placeOf ({ name, key }: Keyed): string {
  return JSON.stringify([name, key])
}
