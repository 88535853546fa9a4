import { Fifo } from '../base/fifo.js'
import type { TaskQueue } from '../request/task-queue.js'
import { BackgroundTask } from '../task/task.js'

/** What has a task to start, first come, first served: the queues of requests, and tasks that are by themselves. */
export class ReadyQueue {
  readonly #places = new Fifo<TaskQueue | BackgroundTask>()
  /** How many tasks have been ended from outside since the line was last cleaned. */
  #ended = 0

  get empty (): boolean {
    return this.#places.empty
  }

  /** Who comes first: a queue, or a task that is by itself. */
  get first (): unknown {
    return this.#places.first
  }

  /** Appends a queue that has a task to start, unless it stands in the line already. */
  pushQueue (queue: TaskQueue): void {
    if (queue.isInLine || !queue.runnable) return
    queue.isInLine = true
    this.#places.push(queue)
  }

  /** Appends a task that is by itself, or the queue of one that is not. */
  pushTask (task: BackgroundTask): void {
    const queue = task.owner as TaskQueue
    if (queue.isShared) this.#places.push(task)
    else this.pushQueue(queue)
  }

  /** A task was ended from outside. While all slots are taken nothing passes the line, which must not fill with such tasks. */
  noteEnd (task: BackgroundTask): void {
    if (!(task.owner as TaskQueue).isShared || ++this.#ended <= this.#places.size / 2) return
    this.#places.filter((place) => !(place instanceof BackgroundTask && place.finished))
    this.#ended = 0
  }

  /** Takes the first place out of a line that is not empty, and gives its task, unless it has none any more. */
  take (): BackgroundTask | undefined {
    const first = this.#places.shift()!
    if (first instanceof BackgroundTask) return first.finished ? undefined : first
    first.isInLine = false
    return first.take()
  }
}
