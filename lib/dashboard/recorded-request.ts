import type { ResponseEnd } from '../../types/index.js'
import type { LaneOwner, RecordedTask } from './recorded-task.js'
import { round } from './round.js'
import type { RequestEntry } from './view.js'

/** What is shown of a request, taken from it when its first task is added: nothing here keeps the request. */
export interface RequestFacts {
  readonly reqId: string
  readonly method: string
  /** The pattern of the route. */
  readonly route: string
  /** On the monotonic clock. */
  readonly arrival: number
}

/** A request as the recorder saw it. */
export class RecordedRequest implements LaneOwner {
  readonly tasks: RecordedTask[] = []
  readonly facts: RequestFacts
  readonly number: number
  /** Whether newer requests have taken its place. */
  isDropped = false
  readonly #arrivedAt: number
  #response: (ResponseEnd & { at: number }) | undefined = undefined
  #text: string | undefined = undefined

  constructor (number: number, facts: RequestFacts) {
    this.number = number
    this.facts = facts
    this.#arrivedAt = Math.round(Date.now() - performance.now() + facts.arrival)
  }

  respond ({ outcome, statusCode }: ResponseEnd, now: number): void {
    this.#response = { outcome, statusCode, at: Math.max(0, round(now - this.facts.arrival)) }
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
    const { number, facts: { reqId, method, route, arrival } } = this
    return {
      number,
      reqId,
      method,
      route,
      arrivedAt: this.#arrivedAt,
      ...(this.#response !== undefined && { response: this.#response }),
      lanes: this.tasks.map((task) => task.lane(arrival))
    }
  }
}
