import type { FastifyBaseLogger } from 'fastify'
import { Quiet } from '../../base/quiet.js'

/** Logs the errors of the store, each kind once a minute. In an outage every connection fails again and again. */
export class StoreErrors {
  /** Undefined before the engine starts. */
  log: FastifyBaseLogger | undefined
  readonly #quiet = new Quiet()

  readonly report = (err: Error): void => {
    if (this.log !== undefined && this.#quiet.maySay(kindOf(err))) this.log.error({ err }, 'background task engine failed')
  }
}

/** The ids and numbers in the messages of BullMQ. Two errors of one kind differ only in these. */
const PARTICULARS = /\b[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\b|(?<=\bjob )[^\s.]+|\d+/gi

/** The kind of an error. All errors of a lost connection are one kind, whatever their messages. */
function kindOf (err: Error): string {
  return 'syscall' in err || /connect|socket|max retries/i.test(err.message) ? 'connection' : err.message.replace(PARTICULARS, '…')
}
