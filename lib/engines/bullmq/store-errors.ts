import type { FastifyBaseLogger } from 'fastify'
import { Quiet } from '../../base/quiet.js'

/** Says what is wrong with the store: once a minute for each kind, for every connection fails again and again. */
export class StoreErrors {
  /** Set once there is somebody to tell. */
  log: FastifyBaseLogger | undefined
  readonly #quiet = new Quiet()

  readonly report = (err: Error): void => {
    if (this.log !== undefined && this.#quiet.maySay(kindOf(err))) this.log.error({ err }, 'engine of background tasks failed')
  }
}

/** What differs from job to job and from time to time in BullMQ's messages: ids, and numbers. */
const PARTICULARS = /\b[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\b|(?<=\bjob )[^\s.]+|\d+/gi

/** Whatever a lost connection looks like from one call or another, it is the same trouble. */
function kindOf (err: Error): string {
  return 'syscall' in err || /connect|socket|max retries/i.test(err.message) ? 'connection' : err.message.replace(PARTICULARS, '…')
}
