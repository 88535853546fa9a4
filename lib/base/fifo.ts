/** The slots of an empty queue. Always a power of two, as after each doubling. */
const SLOTS = 4

/** A queue with more slots than these shrinks when all its items have left. */
const LARGE = 1024

/** Items in order of arrival. Unlike the `shift` of an array, taking the first item costs the same for any number of items. */
export class Fifo<Item> {
  /** The items, in a ring. */
  #slots: Array<Item | undefined> = new Array(SLOTS)
  #first = 0
  #size = 0

  get empty (): boolean {
    return this.#size === 0
  }

  get size (): number {
    return this.#size
  }

  /** The item that `shift` would take. */
  get first (): Item | undefined {
    return this.#slots[this.#first]
  }

  push (item: Item): void {
    if (this.#size === this.#slots.length) this.#grow()
    this.#slots[(this.#first + this.#size++) & (this.#slots.length - 1)] = item
  }

  /** Takes the first item. Undefined when the queue is empty. */
  shift (): Item | undefined {
    if (this.#size === 0) return undefined
    const item = this.#slots[this.#first]
    this.#slots[this.#first] = undefined
    this.#first = (this.#first + 1) & (this.#slots.length - 1)
    // A burst must not hold its memory for ever.
    if (--this.#size === 0 && this.#slots.length > LARGE) this.#reset()
    return item
  }

  /** Drops the items that `stays` does not accept. */
  filter (stays: (item: Item) => boolean): void {
    for (let left = this.#size; left > 0; left--) {
      const item = this.shift()!
      if (stays(item)) this.push(item)
    }
  }

  /** The items, the first one first. */
  toArray (): Item[] {
    const { length } = this.#slots
    return Array.from({ length: this.#size }, (_, index) => this.#slots[(this.#first + index) & (length - 1)]!)
  }

  #reset (): void {
    this.#slots = new Array(SLOTS)
    this.#first = 0
  }

  #grow (): void {
    const slots = [...this.#slots.slice(this.#first), ...this.#slots.slice(0, this.#first)]
    slots.length *= 2
    this.#slots = slots
    this.#first = 0
  }
}
