/** An item of a linked list. An item can be in one list at a time. */
export interface Link<Self> {
  previous: Self | undefined
  next: Self | undefined
}

/**
 * Items in order of arrival. Any item can be removed at the same small cost, and the list keeps nothing of a removed item. A Set
 * costs several times as much for items that soon leave again.
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

  /** Whether the item is in this list. The item must not be in another list. */
  has (item: Item): boolean {
    return item === this.first || item.previous !== undefined
  }

  /** Removes an item, which must be in this list. */
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
