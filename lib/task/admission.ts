import type { FastifyRequest } from 'fastify'
import type { Census } from './census.js'
import { errors } from '../errors.js'
import { jsonBytesAbove } from '../base/json-size.js'
import type { BackgroundTask, Owner } from './task.js'

/** Receives a task in place of its list, with the arguments of `add`. */
export type Capture = (task: BackgroundTask, args: unknown[], options: object, request: FastifyRequest | undefined) => void

interface AdmissionOptions {
  readonly maxPending: number
  /** The largest JSON of a payload, in bytes. */
  readonly maxPayload: number
}

/** Decides whether the app takes one more task. */
export class Admission {
  /** Whether the app has finished closing. */
  closed = false
  /** Set by a test: receives every task that is added, so that none runs. */
  capture: Capture | undefined = undefined
  /** Cancels the captured tasks of a list. Returns their number. */
  clearCaptured: (owner: Owner) => number = () => 0
  readonly #census: Census
  readonly #maxPending: number
  readonly #maxPayload: number

  constructor (census: Census, { maxPending, maxPayload }: AdmissionOptions) {
    this.#census = census
    this.#maxPending = maxPending
    this.#maxPayload = maxPayload
  }

  /** @throws FST_BGT_CLOSED when the app has finished closing */
  assertOpen (name: string): void {
    if (this.closed) throw new errors.FST_BGT_CLOSED(name)
  }

  /** @throws FST_BGT_CLOSED as above, FST_BGT_FULL when too many tasks are unfinished */
  assertRoom (name: string): void {
    this.assertOpen(name)
    if (this.#census.unfinished >= this.#maxPending) throw new errors.FST_BGT_FULL(this.#maxPending)
  }

  /** The payload. @throws FST_BGT_INVALID_PAYLOAD when the JSON of a payload is too large */
  checkPayload (name: string, payload: unknown): unknown {
    const bytes = jsonBytesAbove(payload, this.#maxPayload)
    if (bytes === undefined) return payload
    throw new errors.FST_BGT_INVALID_PAYLOAD(
      `payload of task "${name}" must be at most ${this.#maxPayload} bytes of JSON, received ${bytes} bytes`)
  }
}
