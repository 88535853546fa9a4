import type { FastifyRequest } from 'fastify'
import type { ResponseEnd } from '../../types/index.js'
import type { LaneOwner, RecordedTask } from './recorded-task.js'
import { round } from './round.js'
import type { RequestEntry } from './view.js'

/** A request as the recorder saw it. It is read when its first task is added, and not kept. */
export class RecordedRequest implements LaneOwner {
  readonly tasks: RecordedTask[] = []
  readonly reqId: string
  readonly method: string
  /** The pattern of the route. */
  readonly route: string
  /** When the request arrived, on the monotonic clock. */
  readonly arrival: number
  /** The same as a date. */
  readonly #arrivedAt: number
  /** Whether newer requests have taken its place. */
  isDropped = false
  #response: ResponseEnd | undefined = undefined
  #respondedAt = 0
  #text: string | undefined = undefined

  /** `requests`: those of the recording. `elapsedMs`: for how long the request has been here. */
  constructor (readonly requests: object, readonly number: number, request: FastifyRequest, elapsedMs: number) {
    this.arrival = performance.now() - elapsedMs
    this.#arrivedAt = Math.round(Date.now() - elapsedMs)
    this.reqId = String(request.id)
    this.method = request.method
    this.route = request.routeOptions.url ?? '(no route)'
  }

  respond (response: ResponseEnd, now: number): void {
    this.#response = response
    this.#respondedAt = now
    this.change()
  }

  change (): void {
    this.#text = undefined
  }

  add (task: RecordedTask): void {
    this.tasks.push(task)
    this.change()
  }

  remove (task: RecordedTask): void {
    this.tasks.splice(this.tasks.indexOf(task), 1)
    this.change()
  }

  /** The entry as JSON. Kept until the request changes: most of those that are shown are over. */
  get text (): string {
    if (this.#text !== undefined) return this.#text
    const text = JSON.stringify(this.entry())
    if (!this.tasks.some(({ isFollowing }) => isFollowing)) this.#text = text
    return text
  }

  entry (): RequestEntry {
    const { number, reqId, method, route, arrival } = this
    const response = this.#response && { ...this.#response, at: Math.max(0, round(this.#respondedAt - arrival)) }
    return {
      number,
      reqId,
      method,
      route,
      arrivedAt: this.#arrivedAt,
      ...(response !== undefined && { response }),
      lanes: this.tasks.map((task) => task.lane(arrival))
    }
  }
}
