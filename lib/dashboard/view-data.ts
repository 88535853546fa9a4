import type { AppTasks } from '../app/app-tasks.js'
import type { Recorder } from './recorder.js'
import type { Sampler } from './sampler.js'
import type { ShowPayload } from './show-payload.js'
import type { Question, Store } from './store.js'

/** What the views show, each in its way. */
export interface ViewData {
  readonly tasks: AppTasks
  readonly recorder: Recorder
  readonly sampler: Sampler
  readonly store: Store
  readonly showPayload: ShowPayload
  /** Has the views be looked at again in the next update. */
  readonly lookAgain: () => void
}

/** One of the pages that a viewer may look at. Viewers of the same page share it. */
export interface View {
  /** The questions to the store that the view does not begin without, unless the store does not answer. */
  readonly questions: ReadonlyArray<Question<any> | undefined>
  /** Writes the entries of the view: each a key, and JSON. Called when something may have changed. */
  write (entries: Map<string, string>, canAct: boolean): void
  /** Called when the last viewer has left. */
  end (): void
}
