/** What can be in a chain: one at a time. */
export interface Link<Self> {
  previous: Self | undefined
  next: Self | undefined
}

/**
 * Items in the order they came, each knowing its neighbours: any of them leaves at the same small cost, and nothing is
 * kept of those that have left. A Set of objects that soon leave again costs several times as much.
 */
export class LinkedList<Item extends Link<Item>> {
  first: Item | undefined = undefined
  #last: Item | undefined = undefined

  push (item: Item): void {
    item.previous = this.#last
    if (this.#last === undefined) this.first = item
    else this.#last.next = item
    this.#last = item
  }

  /** Whether an item that can be in no other chain is in this one. */
  has (item: Item): boolean {
    return item === this.first || item.previous !== undefined
  }

  /** Takes an item out that is in the chain. */
  remove (item: Item): void {
    const { previous, next } = item
    if (previous === undefined) this.first = next
    else previous.next = next
    if (next === undefined) this.#last = previous
    else next.previous = previous
    item.previous = item.next = undefined
  }

  * [Symbol.iterator] (): Generator<Item, void, undefined> {
    for (let item = this.first; item !== undefined;) {
      const { next }: Link<Item> = item
      yield item
      item = next
    }
  }
}
