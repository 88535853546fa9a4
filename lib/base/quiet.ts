/** How long what has been said is not said again. */
const QUIET_MS = 60_000

/** Says things of one kind once a minute. */
export class Quiet {
  readonly #saidAt = new Map<string, number>()

  /** Whether something of this kind is to be said now. */
  maySay (kind: string): boolean {
    const now = performance.now()
    for (const [other, saidAt] of this.#saidAt) {
      if (now - saidAt >= QUIET_MS) this.#saidAt.delete(other)
    }
    if (this.#saidAt.has(kind)) return false
    this.#saidAt.set(kind, now)
    return true
  }
}
