import { Fifo } from '../base/fifo.js'
import type { TaskList } from '../request/task-list.js'
import type { Owner } from '../task/task.js'
import { RecordedRequest, type RequestFacts } from './recorded-request.js'

/** How many requests are kept: the latest. */
const MAX_REQUESTS = 200

/** The latest requests that have added tasks. */
export class RecordedRequests {
  readonly #kept = new Fifo<RecordedRequest>()
  readonly #byList = new WeakMap<Owner, RecordedRequest>()
  #numbers = 0

  /** The requests that are kept, the oldest first. */
  get kept (): RecordedRequest[] {
    return this.#kept.toArray()
  }

  /** The request of a list, if it is kept. */
  find (list: Owner): RecordedRequest | undefined {
    const request = this.#byList.get(list)
    return request?.isDropped === true ? undefined : request
  }

  /** The request that is kept under the number. */
  findByNumber (number: number): RecordedRequest | undefined {
    return this.kept.find((request) => request.number === number)
  }

  /** The newest request of the id. Request ids may repeat. */
  findByReqId (reqId: string): RecordedRequest | undefined {
    return this.kept.reverse().find(({ facts }) => facts.reqId === reqId)
  }

  /** Takes in the request of a list. Undefined where the list has none any more, or its request was dropped. */
  enter (list: Owner): RecordedRequest | undefined {
    if (this.#byList.has(list)) return this.find(list)
    const facts = factsOf(list)
    if (facts === undefined) return undefined
    const request = new RecordedRequest(++this.#numbers, facts)
    this.#byList.set(list, request)
    this.#kept.push(request)
    return request
  }

  /** Drops the oldest request when there are too many. */
  dropOldest (): RecordedRequest | undefined {
    if (this.#kept.size <= MAX_REQUESTS) return undefined
    const dropped = this.#kept.shift()!
    dropped.isDropped = true
    return dropped
  }
}

function factsOf (list: Owner): RequestFacts | undefined {
  const { request } = list
  if (request === undefined) return undefined
  // An onRequest hook of an earlier plugin may add a task before the reply is known.
  const elapsedMs = (list as TaskList).reply?.elapsedTime ?? 0
  return {
    reqId: String(request.id),
    method: request.method,
    route: request.routeOptions.url ?? '(no route)',
    arrival: performance.now() - elapsedMs
  }
}
