import { Fifo } from '../base/fifo.js'
import type { TaskList } from '../request/task-list.js'
import type { Owner } from '../task/task.js'
import { RecordedRequest } from './recorded-request.js'
import type { RecordedTask } from './recorded-task.js'

/** How many requests are kept: the latest. */
const MAX_REQUESTS = 200

/** The latest requests that have added tasks. */
export class RecordedRequests {
  readonly #kept = new Fifo<RecordedRequest>()
  #numbers = 0

  /** The requests that are kept, the oldest first. */
  get kept (): RecordedRequest[] {
    return this.#kept.toArray()
  }

  /** The request of a list, if it is known here, even if it was dropped. */
  find ({ note }: Owner): RecordedRequest | undefined {
    return note instanceof RecordedRequest && note.requests === this ? note : undefined
  }

  /** The request that is kept under the number. */
  findByNumber (number: number): RecordedRequest | undefined {
    return this.kept.find((request) => request.number === number)
  }

  /** The newest request of the id. Request ids may repeat. */
  findByReqId (reqId: string): RecordedRequest | undefined {
    return this.kept.reverse().find((request) => request.reqId === reqId)
  }

  /** Takes in the request of a list. Undefined where the list has none any more, or its request was dropped. */
  enter (list: Owner): RecordedRequest | undefined {
    const known = this.find(list)
    if (known !== undefined) return known.isDropped ? undefined : known
    if (list.request === undefined) return undefined
    // An onRequest hook of an earlier plugin may add a task before the reply is known.
    const elapsedMs = (list as TaskList).reply?.elapsedTime ?? 0
    const request = new RecordedRequest(this, ++this.#numbers, list.request, elapsedMs)
    list.note = request
    this.#kept.push(request)
    return request
  }

  /** Drops the oldest request when there are too many. Returns its tasks. */
  dropOldest (): readonly RecordedTask[] {
    if (this.#kept.size <= MAX_REQUESTS) return []
    const dropped = this.#kept.shift()!
    dropped.isDropped = true
    return dropped.tasks
  }
}
