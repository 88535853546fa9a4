/** The callbacks of watched tasks, by id. */
export class Watchers {
  readonly #byId = new Map<string, Set<() => void>>()
  readonly #ofAll = new Set<() => void>()

  get empty (): boolean {
    return this.#byId.size === 0 && this.#ofAll.size === 0
  }

  get ids (): string[] {
    return [...this.#byId.keys()]
  }

  /** Calls `onChange` after each change of the task. The returned function ends the watch. */
  add (id: string, onChange: () => void): () => void {
    const watchers = this.#byId.get(id) ?? new Set()
    this.#byId.set(id, watchers.add(onChange))
    return () => {
      if (watchers.delete(onChange) && watchers.size === 0) this.#byId.delete(id)
    }
  }

  /** Calls `onChange` after changes of any task. The returned function ends the watch. */
  addToAll (onChange: () => void): () => void {
    // One function may watch several times.
    const own = (): void => { onChange() }
    this.#ofAll.add(own)
    return () => { this.#ofAll.delete(own) }
  }

  notify (id: string): void {
    for (const onChange of this.#byId.get(id) ?? []) onChange()
    this.notifyAll()
  }

  /** Tells those who watch all tasks that some task may have changed. */
  notifyAll (): void {
    for (const onChange of this.#ofAll) onChange()
  }
}
