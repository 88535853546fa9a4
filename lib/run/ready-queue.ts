import { Fifo } from '../base/fifo.js'
import { BackgroundTask, type Owner } from '../task/task.js'

/** The order in which tasks start. A place belongs to the list of a request, or to a single task of the app. */
export class ReadyQueue {
  readonly #places = new Fifo<Owner | BackgroundTask>()
  /** The number of tasks of the app that were stopped since the queue was last cleaned. */
  #ended = 0

  get empty (): boolean {
    return this.#places.empty
  }

  /** The first place: a list, or a task of the app. */
  get first (): unknown {
    return this.#places.first
  }

  /** Appends a list with a runnable task, unless the list has a place already. */
  pushList (list: Owner): void {
    if (list.isReady || !list.runnable) return
    list.isReady = true
    this.#places.push(list)
  }

  /** Appends a task of the app, or the list of any other task. */
  pushTask (task: BackgroundTask): void {
    if (task.owner.isShared) this.#places.push(task)
    else this.pushList(task.owner)
  }

  /**
   * Notes that a task was stopped. While all slots are taken, the queue does not move: stopped tasks must not fill its memory.
   */
  noteEnd (task: BackgroundTask): void {
    if (!task.owner.isShared || ++this.#ended <= this.#places.size / 2) return
    this.#places.filter((place) => !(place instanceof BackgroundTask && place.finished))
    this.#ended = 0
  }

  /** Takes the first place out of a queue that is not empty. Returns its task, or undefined if no task can start. */
  take (): BackgroundTask | undefined {
    const first = this.#places.shift()!
    if (first instanceof BackgroundTask) return first.finished ? undefined : first
    first.isReady = false
    return first.take()
  }
}
