import type { TaskSnapshot } from '../../types/index.js'
import type { AppTasks } from '../app/app-tasks.js'
import { isFinal } from '../base/snapshot.js'
import { FollowedTask } from './followed-task.js'

/** How long until a failed look is tried again: at first, and at most. */
const RETRY_MS = 100
const MAX_RETRY_MS = 2000

/** The findings of a look: the snapshot as text, and the values whose change makes an event. */
export interface News {
  readonly data: string
  readonly state: TaskSnapshot['state']
  readonly progress: string | undefined
  readonly isFinal: boolean
}

/** The news about one task. One look serves all readers. */
export class TaskFeed {
  /** Settles with the first look. Rejects when the engine does not answer. Later looks are tried again until it answers. */
  readonly opened: Promise<void>
  /** Undefined when the task is unknown, or known no more. */
  news: News | undefined
  readonly #tasks: AppTasks
  readonly #id: string
  readonly #task: FollowedTask
  readonly #onEnd: () => void
  readonly #readers = new Set<() => void>()
  #endWatch = (): void => {}
  #isLooking = false
  #isChanged = false
  #retry: NodeJS.Timeout | undefined

  /** `onEnd` is called when the last reader leaves. */
  constructor (tasks: AppTasks, id: string, onEnd: () => void) {
    this.#tasks = tasks
    this.#id = id
    this.#onEnd = onEnd
    // The task is followed from before the first look, so that its end is not missed.
    this.#task = new FollowedTask(tasks, id)
    this.opened = this.#open()
  }

  /** Calls `onNews` after each look. The returned function ends the reading. */
  read (onNews: () => void): () => void {
    this.#readers.add(onNews)
    return () => {
      if (this.#readers.delete(onNews) && this.#readers.size === 0) this.#end()
    }
  }

  async #open (): Promise<void> {
    await this.#look()
    // An engine may open a connection for a watch. An unknown or ended task needs none.
    if (this.news === undefined || this.news.isFinal || this.#readers.size === 0) return
    this.#endWatch = this.#tasks.watch(this.#id, () => { this.#changed() })
    // The task may have changed since the first look.
    this.#changed()
  }

  #changed (): void {
    this.#isChanged = true
    if (!this.#isLooking && this.#retry === undefined) this.#lookOn(RETRY_MS)
  }

  /** Looks again until the task has not changed during the last look. */
  #lookOn (retryMs: number): void {
    if (!this.#isChanged || this.#readers.size === 0) return
    this.#isChanged = false
    this.#isLooking = true
    this.#look().then(() => {
      this.#isLooking = false
      this.#lookOn(RETRY_MS)
    }, () => {
      this.#isLooking = false
      this.#isChanged = true
      this.#lookLater(retryMs)
    })
  }

  #lookLater (retryMs: number): void {
    if (this.#readers.size === 0) return
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.#lookOn(Math.min(2 * retryMs, MAX_RETRY_MS))
    }, retryMs)
  }

  async #look (): Promise<void> {
    const snapshot = await this.#task.get()
    this.news = snapshot && {
      data: JSON.stringify(snapshot),
      state: snapshot.state,
      progress: JSON.stringify(snapshot.progress),
      isFinal: isFinal(snapshot.state)
    }
    for (const onNews of this.#readers) onNews()
  }

  #end (): void {
    this.#task.end()
    this.#endWatch()
    clearTimeout(this.#retry)
    this.#onEnd()
  }
}
