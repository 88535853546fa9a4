import type { FastifyBaseLogger } from 'fastify'

/** How long trouble of one kind is not mentioned again. */
const QUIET_MS = 60_000

/** Says what is wrong with the store: once a minute for each kind, for every connection fails again and again. */
export class Trouble {
  /** Set once there is somebody to tell. */
  log: FastifyBaseLogger | undefined
  readonly #said = new Map<string, number>()

  readonly report = (err: Error): void => {
    if (this.log === undefined) return
    const kind = kindOf(err)
    const now = performance.now()
    for (const [other, saidAt] of this.#said) {
      if (now - saidAt >= QUIET_MS) this.#said.delete(other)
    }
    if (this.#said.has(kind)) return
    this.#said.set(kind, now)
    this.log.error({ err }, 'engine of background tasks failed')
  }
}

/** Whatever a lost connection looks like from one call or another, it is the same trouble. */
function kindOf (err: Error): string {
  return 'syscall' in err || /connect|socket|max retries/i.test(err.message) ? 'connection' : err.message
}
