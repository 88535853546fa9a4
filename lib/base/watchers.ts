/** The callbacks of watched tasks, by id. */
export class Watchers {
  readonly #byId = new Map<string, Set<() => void>>()

  get empty (): boolean {
    return this.#byId.size === 0
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

  notify (id: string): void {
    for (const onChange of this.#byId.get(id) ?? []) onChange()
  }
}
