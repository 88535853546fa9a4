import type { TaskQueue } from '../request/task-queue.js'

/** The queues that have a task to start, first come, first served. Linked by `behind`, so that it needs no memory. */
export class ReadyLine {
  #first: TaskQueue | undefined = undefined
  #last: TaskQueue | undefined = undefined

  get empty (): boolean {
    return this.#first === undefined
  }

  /** Appends a queue unless it stands in the line already. */
  push (queue: TaskQueue): void {
    if (queue.behind !== undefined) return
    if (this.#last === undefined) this.#first = queue
    else this.#last.behind = queue
    // The last one stands behind itself, which tells it from one that is not in the line.
    this.#last = queue.behind = queue
  }

  /** Takes the first queue out of a line that is not empty. */
  shift (): TaskQueue {
    const queue = this.#first!
    if (queue === this.#last) this.#first = this.#last = undefined
    else this.#first = queue.behind
    queue.behind = undefined
    return queue
  }
}
