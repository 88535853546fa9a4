/** Values by key. Only the latest values are kept. */
export class Latest<Value> {
  readonly #values = new Map<string, Value>()
  /** One iterator for all deletions. A new iterator would pass every key deleted since V8 last rebuilt the table of the map. */
  #keys: Iterator<string> | undefined = undefined

  get (key: string): Value | undefined {
    return this.#values.get(key)
  }

  delete (key: string): void {
    this.#values.delete(key)
  }

  /** The values, the latest first. */
  newestFirst (): Value[] {
    return [...this.#values.values()].reverse()
  }

  /** Sets a value, and deletes the oldest ones until `limit` are left. */
  set (key: string, value: Value, limit: number): void {
    this.#values.set(key, value)
    while (this.#values.size > limit) {
      this.#keys ??= this.#values.keys()
      this.#values.delete(this.#keys.next().value as string)
    }
  }
}
