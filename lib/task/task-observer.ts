import type { TaskState } from '../../types/index.js'
import type { BackgroundTask, Owner } from './task.js'

/** Is told of all tasks of an app, at the moment of each event. An observer must not throw, and must read no task's id. */
export interface TaskObserver {
  /** A task is new in its list. */
  entered (task: BackgroundTask): void
  /** A task has another state than before. When it has ended, it still has its outcome and its options. */
  moved (task: BackgroundTask, from: TaskState): void
  /** A task goes on in another process, or another task goes on in its place. */
  left (task: BackgroundTask): void
  /** The progress of a task has changed. */
  progressed (task: BackgroundTask): void
  /** The response of a list is over. The list has it, and perhaps no longer its request. */
  responded (list: Owner): void
}
