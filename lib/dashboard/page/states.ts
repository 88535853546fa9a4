import type { TaskState } from '../../../types/index.js'
import type { TaskKind } from '../view.js'

/** In the order of the life of a task. */
export const states: TaskState[] = ['waiting', 'active', 'delayed', 'completed', 'failed', 'cancelled', 'skipped']

export const isState = (text: string): text is TaskState => states.includes(text as TaskState)

export const isEnded = (state: TaskState): boolean => states.indexOf(state) > 2

/** A registered task may be stored elsewhere; a function and a promise never leave the process. */
export const kindWords: Record<TaskKind, string> = { function: 'function', promise: 'promise', registered: 'stored', file: 'thread' }
