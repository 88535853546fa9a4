import { Fifo } from '../base/fifo.js'
import { BackgroundTask, type Owner } from '../task/task.js'

/** What has a task to start, first come, first served: the lists of requests, and tasks that are by themselves. */
export class ReadyQueue {
  readonly #places = new Fifo<Owner | BackgroundTask>()
  /** How many tasks have been ended from outside since the queue was last cleaned. */
  #ended = 0

  get empty (): boolean {
    return this.#places.empty
  }

  /** What comes first: a list, or a task that is by itself. */
  get first (): unknown {
    return this.#places.first
  }

  /** Appends a list that has a task to start, unless it has a place already. */
  pushList (list: Owner): void {
    if (list.isReady || !list.runnable) return
    list.isReady = true
    this.#places.push(list)
  }

  /** Appends a task that is by itself, or the list of one that is not. */
  pushTask (task: BackgroundTask): void {
    if (task.owner.isShared) this.#places.push(task)
    else this.pushList(task.owner)
  }

  /** A task was ended from outside. While all slots are taken the queue does not move, and must not fill with such tasks. */
  noteEnd (task: BackgroundTask): void {
    if (!task.owner.isShared || ++this.#ended <= this.#places.size / 2) return
    this.#places.filter((place) => !(place instanceof BackgroundTask && place.finished))
    this.#ended = 0
  }

  /** Takes the first place out of a queue that is not empty, and gives its task, unless it has none any more. */
  take (): BackgroundTask | undefined {
    const first = this.#places.shift()!
    if (first instanceof BackgroundTask) return first.finished ? undefined : first
    first.isReady = false
    return first.take()
  }
}
