import type { Services } from '../stored/services.js'
import { Recorder } from './recorder.js'
import { Sampler } from './sampler.js'

/** How long the recording goes on after the last look. */
const LINGER_MS = 600_000

const recordings = new WeakMap<Services, Recording>()

/** The recording of an app, which may have several dashboards. */
export function recordingOf (services: Services): Recording {
  const recording = recordings.get(services) ?? new Recording(services)
  recordings.set(services, recording)
  return recording
}

/** Records an app from the first look until ten minutes after the last. At other times nothing of it observes the app. */
export class Recording {
  /** Undefined while nothing is recorded. */
  current: { readonly recorder: Recorder, readonly sampler: Sampler, readonly since: number } | undefined = undefined
  readonly #services: Services
  readonly #lookers = new Set<() => void>()
  #timer: NodeJS.Timeout | undefined

  constructor (services: Services) {
    this.#services = services
  }

  /** Begins a look. `onChange` is called after each change of what is recorded. The returned function ends the look. */
  look (onChange: () => void): () => void {
    clearTimeout(this.#timer)
    this.#begin()
    // One function may look several times.
    const looker = (): void => { onChange() }
    this.#lookers.add(looker)
    return () => {
      if (!this.#lookers.delete(looker) || this.#lookers.size > 0) return
      this.#timer = setTimeout(() => { this.end() }, LINGER_MS).unref()
    }
  }

  /** Ends the recording, and forgets what it has recorded. */
  end (): void {
    clearTimeout(this.#timer)
    this.current?.sampler.end()
    this.current = undefined
    this.#services.census.observer = undefined
  }

  #begin (): void {
    if (this.current !== undefined) return
    const { census, client } = this.#services
    const onChange = (): void => { for (const looker of this.#lookers) looker() }
    const recorder = new Recorder(client.isLocal || client.isWorker, onChange)
    recorder.begin(census.tasks())
    census.observer = recorder
    this.current = { recorder, sampler: new Sampler(() => census.completed, onChange), since: Date.now() }
  }
}
