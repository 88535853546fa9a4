/** Slots of an empty one. A power of two, as after each doubling. */
const SLOTS = 4

/** More slots than these are given back once all items have left. */
const LARGE = 1024

/** Items in the order they came. To take the first one costs the same however many wait, unlike an array's `shift`. */
export class Fifo<Item> {
  /** A ring. */
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

  /** Takes the first item; undefined when there is none. */
  shift (): Item | undefined {
    if (this.#size === 0) return undefined
    const item = this.#slots[this.#first]
    this.#slots[this.#first] = undefined
    this.#first = (this.#first + 1) & (this.#slots.length - 1)
    // A burst must not hold its memory for ever.
    if (--this.#size === 0 && this.#slots.length > LARGE) this.#reset()
    return item
  }

  /** Lets go of the items that are not to stay. */
  filter (stays: (item: Item) => boolean): void {
    for (let left = this.#size; left > 0; left--) {
      const item = this.shift()!
      if (stays(item)) this.push(item)
    }
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
