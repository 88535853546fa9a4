import type { FastifyInstance } from 'fastify'
import { nextTurn } from '../base/real-timers.js'
import { errors } from '../errors.js'
import { within } from '../base/within.js'
import type { Services } from '../stored/services.js'
import type { BackgroundTask } from '../task/task.js'
import type { Threads } from '../threads/threads.js'
import { Unfinished } from './unfinished.js'

/** How long aborted tasks may take to end. */
const GRACE_MS = 1000

/**
 * What happens when the app closes, in this order:
 * 1. preClose: failed attempts are final from now on, the engine gives no more tasks that others could run.
 * 2. The server closes: no more requests.
 * 3. Before every other onClose hook, tasks end: the drain waits for them, and stops those left at the deadline.
 * 4. The onClose hooks of the app, which may close what tasks use.
 * 5. Ours: the drain once more, for what those hooks have added, then the engine closes, then the threads.
 * @param closeTimeoutMs How long tasks may take, counted from the first drain.
 */
export function endWithApp (app: FastifyInstance, services: Services, threads: Threads, closeTimeoutMs: number): void {
  const { client, executor } = services
  const drain = new Drain(app, services, closeTimeoutMs)

  // Added to avvio's queue while it closes, so that tasks end before any other onClose hook takes away what they use.
  const drainFirst = (): void => {
    (app as unknown as { onClose (fn: () => Promise<void>): void }).onClose(() => drain.run())
  }
  app.addHook('preClose', (done) => {
    app.server.off('close', drainFirst)
    executor.stopRetrying()
    client.pause()
    drainFirst()
    done()
  })
  // Behind another plugin's preClose hook that fails, ours is not called. The server may also be closed by hand: then
  // nothing but a place in the queue is taken, and tasks go on.
  app.server.once('close', drainFirst)

  app.addHook('onClose', async () => {
    try {
      await drain.runLast()
    } finally {
      try {
        await client.engine.close()
      } finally {
        await threads.close()
      }
    }
  })
}

/** Waits for all tasks, and stops those left at the deadline. */
class Drain {
  readonly #app: FastifyInstance
  readonly #services: Services
  readonly #timeoutMs: number
  readonly #unfinished = new Unfinished()
  #deadline: number | undefined

  constructor (app: FastifyInstance, services: Services, timeoutMs: number) {
    this.#app = app
    this.#services = services
    this.#timeoutMs = timeoutMs
  }

  async run (): Promise<void> {
    await this.#end()
    this.#unfinished.log(this.#app.log)
  }

  /** As `run`, and lets no more tasks in. */
  async runLast (): Promise<void> {
    await this.#end()
    // No other code can have run since the last look, except that of an `onError` of tasks that were stopped.
    this.#services.admission.closed = true
    this.#services.census.tasks().forEach(this.#leave)
    this.#unfinished.log(this.#app.log)
  }

  async #end (): Promise<void> {
    const { census, client, executor } = this.#services
    const deadline = this.#deadline ??= performance.now() + this.#timeoutMs
    await executor.stopRetrying()
    // Whatever the engine still hands out is left below.
    await within(Math.max(0, deadline - performance.now()), () => client.pause()).catch(() => {})
    // Tasks that are stored meanwhile are left too.
    client.onUnrunnable = this.#leave
    census.tasks().filter((task) => client.cannotRunHere(task)).forEach(this.#leave)
    if (!await this.#endsBy(deadline)) await this.#stopAll()
  }

  /** Whether all tasks have ended in time, those included that are added by what waits for `idle`. */
  async #endsBy (deadline: number): Promise<boolean> {
    const { census } = this.#services
    let leftMs: number
    do {
      leftMs = Math.max(0, deadline - performance.now())
      if (!await census.whenEmpty(leftMs)) return false
      await nextTurn()
      if (census.isEmpty) return true
    } while (leftMs > 0)
    return false
  }

  async #stopAll (): Promise<void> {
    const { census } = this.#services
    census.tasks().filter(({ state }) => state === 'waiting').forEach(this.#leave)
    for (const task of census.tasks()) task.abort(this.#closing(task))
    // What is left may be an `onError` that nothing can stop.
    if (census.unfinished > 0) await census.whenEmpty(GRACE_MS)
    for (const task of census.reporting) this.#unfinished.addReport(task)
    census.tasks().forEach(this.#leave)
  }

  /** Has a task count for nothing any more. */
  readonly #leave = (task: BackgroundTask): void => {
    // The end of one may end another.
    if (task.finished) return
    const { executor } = this.#services
    const final = task.hasStarted ? 'failed' : 'cancelled'
    this.#unfinished.add(task, task.state === 'waiting' ? final : task.state)
    if (final === 'failed') executor.giveUp(task, this.#closing(task))
    else executor.stop(task, final, this.#closing(task))
  }

  #closing (task: BackgroundTask): Error {
    return new errors.FST_BGT_CLOSING(task.name, this.#timeoutMs)
  }
}
