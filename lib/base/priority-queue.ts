/** What can be in a priority queue: one at a time. */
export interface Ranked {
  /** Lower leaves first. */
  readonly priority: number
  /** The queue's own: the place in its heap, -1 outside. */
  at: number
  /** The queue's own: the number of the arrival. */
  arrival: number
}

/** Items by priority, those of the same priority in the order they came: a binary heap. */
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

  /** Takes the first item out. */
  shift (): Item | undefined {
    const first = this.#heap[0]
    if (first !== undefined) this.remove(first)
    return first
  }

  /** Takes an item out, if it is in. */
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

  /** Puts the item where it may stand between the place, which is free, and the root. */
  #rise (item: Item, at: number): void {
    while (at > 0) {
      const parent = this.#heap[(at - 1) >> 1]!
      if (isBefore(parent, item)) break
      this.#place(parent, at)
      at = (at - 1) >> 1
    }
    this.#place(item, at)
  }

  /** Puts the item where it may stand between its place and the leaves. */
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
