/** Values by key, of which the last ones set are kept. */
export class Latest<Value> {
  readonly #values = new Map<string, Value>()
  /** A new iterator would pass over every key deleted since V8 last rebuilt the table. This one goes on where it was. */
  #keys: Iterator<string> | undefined = undefined

  get (key: string): Value | undefined {
    return this.#values.get(key)
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
