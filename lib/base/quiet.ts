/** How long after a line the next lines of its kind are left out. */
const QUIET_MS = 60_000

/** Limits log lines to one of each kind a minute. */
export class Quiet {
  readonly #saidAt = new Map<string, number>()

  /** Whether a line of this kind may be written now. */
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
