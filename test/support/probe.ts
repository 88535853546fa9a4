import { AsyncLocalStorage } from 'node:async_hooks'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ResponseEnd, Task, When } from '../../index.js'
import { createLatch } from './latch.js'
import { type ResponsiveClock, startResponsiveClock } from './responsive-time.js'

/** One run of a task, as its function saw it. */
export interface Run {
  readonly label: string
  readonly when: When
  readonly response: ResponseEnd | undefined
  /** Whether the AsyncLocalStorage store was that of the `add` call. */
  readonly inContext: boolean
  /** Whether the response, or its connection, had come to its end. */
  readonly afterResponse: boolean
  /** Milliseconds from the end of the response to this run, stalls of the machine not counted. */
  readonly delay: number
}

interface Watch {
  over: boolean
  clock: ResponsiveClock | undefined
}

const whens: readonly When[] = ['always', 'success', 'error']
const context = new AsyncLocalStorage<object>()

/** Adds tasks to requests and notes every run of them. */
export class Probe {
  readonly runs: Run[] = []
  readonly tasks: Task[] = []
  readonly #watches = new WeakMap<FastifyRequest, Watch>()
  readonly #added = createLatch()
  #clocks: ResponsiveClock[] = []

  /** Resolves when the first tasks have been added. */
  get added (): Promise<void> {
    return this.#added.promise
  }

  /** Adds one task for each `when`, each in an async context of its own. */
  add (request: FastifyRequest, label = 'task'): void {
    for (const when of whens) {
      const store = {}
      const run = (task: Task): void => {
        const { over = true, clock } = this.#watches.get(request) ?? {}
        const delay = clock?.elapsed ?? 0
        const inContext = context.getStore() === store
        this.runs.push({ label, when, response: task.response, inContext, afterResponse: over, delay })
      }
      this.tasks.push(context.run(store, () => request.backgroundTasks.add({ when, name: `${label} ${when}` }, run)))
    }
    this.#added.resolve()
  }

  /** Notes when the response, or its connection, comes to its end. */
  watch (request: FastifyRequest, reply: FastifyReply): void {
    const watch: Watch = { over: false, clock: undefined }
    const onOver = (): void => {
      if (watch.over) return
      watch.over = true
      watch.clock = startResponsiveClock()
      this.#clocks.push(watch.clock)
    }
    this.#watches.set(request, watch)
    const { socket, httpVersionMajor } = request.raw
    if (reply.raw.destroyed || (httpVersionMajor === 1 && socket.destroyed)) onOver()
    reply.raw.once('finish', onOver)
    reply.raw.once('close', onOver)
    if (httpVersionMajor === 1) socket.once('close', onOver)
  }

  /** Resolves when all tasks have ended. */
  async settled (app: FastifyInstance): Promise<void> {
    await this.added
    await app.backgroundTasks.idle({ timeout: 3_000 })
    for (const clock of this.#clocks) clock.stop()
  }
}

/** The runs and final states that one `Probe.add` is to lead to. */
export function expectedRuns (response: ResponseEnd, label = 'task'): object {
  const runs = whens.filter((when) => isWanted(when, response))
  return {
    runs: runs.map((when) => ({ label, when, response, inContext: true, afterResponse: true })),
    states: whens.map((when) => isWanted(when, response) ? 'completed' : 'skipped')
  }
}

/** What became of the tasks, in the form of `expectedRuns`. */
export function actualRuns (probe: Probe): object {
  return {
    runs: probe.runs.map(({ delay, ...run }) => run),
    states: probe.tasks.map(({ state }) => state)
  }
}

function isWanted (when: When, { outcome, statusCode }: ResponseEnd): boolean {
  if (when === 'always') return true
  return outcome === 'sent' && (statusCode < 400) === (when === 'success')
}
