/** An item of a priority queue. An item can be in one queue at a time. */
export interface Ranked {
  /** The item with the lowest value leaves first. */
  readonly priority: number
  /** The index in the heap, or -1 outside the queue. Set by the queue. */
  at: number
  /** The number of the arrival. Set by the queue. */
  arrival: number
}

/** Items by priority, in a binary heap. Items of the same priority leave in order of arrival. */
export class PriorityQueue<Item extends Ranked> {
  readonly #heap: Item[] = []
  #arrivals = 0

  get size (): number {
    return this.#heap.length
  }

  push (item: Item): void {
    item.arrival = this.#arrivals++
    this.#rise(item, this.#heap.length)
  }

  /** Removes the first item. */
  shift (): Item | undefined {
    const first = this.#heap[0]
    if (first !== undefined) this.remove(first)
    return first
  }

  /** Removes an item, if it is in the queue. */
  remove (item: Item): void {
    const { at } = item
    if (at < 0) return
    item.at = -1
    const last = this.#heap.pop()!
    if (last === item) return
    this.#rise(last, at)
    this.#sink(last, last.at)
  }

  clear (): void {
    for (const item of this.#heap) item.at = -1
    this.#heap.length = 0
  }

  [Symbol.iterator] (): Iterator<Item> {
    return this.#heap[Symbol.iterator]()
  }

  /** Puts the item into the free place, or higher: parents that come after the item move down. */
  #rise (item: Item, at: number): void {
    while (at > 0) {
      const parent = this.#heap[(at - 1) >> 1]!
      if (isBefore(parent, item)) break
      this.#place(parent, at)
      at = (at - 1) >> 1
    }
    this.#place(item, at)
  }

  /** Puts the item into the free place, or lower: children that come before the item move up. */
  #sink (item: Item, at: number): void {
    for (;;) {
      const left = this.#heap[2 * at + 1]
      const right = this.#heap[2 * at + 2]
      const child = left !== undefined && right !== undefined && isBefore(right, left) ? right : left
      if (child === undefined || isBefore(item, child)) break
      const { at: below } = child
      this.#place(child, at)
      at = below
    }
    this.#place(item, at)
  }

  #place (item: Item, at: number): void {
    this.#heap[at] = item
    item.at = at
  }
}

function isBefore (a: Ranked, b: Ranked): boolean {
  return a.priority < b.priority || (a.priority === b.priority && a.arrival < b.arrival)
}
