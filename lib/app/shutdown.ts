import type { FastifyInstance } from 'fastify'
import { nextTurn } from '../base/real-timers.js'
import { errors } from '../errors.js'
import { within } from '../base/within.js'
import type { Services } from '../stored/services.js'
import type { BackgroundTask } from '../task/task.js'
import type { Threads } from '../threads/threads.js'
import { Unfinished } from './unfinished.js'

/** How long tasks may take to end after their signals aborted. */
const GRACE_MS = 1000

/**
 * Closes the parts of this plugin with the app, in this order:
 * 1. preClose: schedules stop, failed attempts become final, and the engine hands out no more tasks that another process could run.
 * 2. The server closes: no request comes in any more.
 * 3. The first drain, before every other onClose hook: it waits for tasks, and stops unfinished ones at the deadline.
 * 4. The onClose hooks of the app, which may close what tasks use.
 * 5. Our onClose hook: the last drain, for tasks that those hooks have added. Then the engine closes, then the threads.
 * @param closeTimeoutMs How long tasks may take, counted from the start of the first drain.
 */
export function endWithApp (app: FastifyInstance, services: Services, threads: Threads, closeTimeoutMs: number): void {
  const { client, executor, schedules } = services
  const drain = new Drain(app, services, closeTimeoutMs)

  // Enters the queue of avvio while the app closes. The first drain thus comes before any other onClose hook.
  const drainFirst = (): void => {
    (app as unknown as { onClose (fn: () => Promise<void>): void }).onClose(() => drain.run())
  }
  app.addHook('preClose', (done) => {
    app.server.off('close', drainFirst)
    schedules.stop()
    executor.stopRetrying()
    client.pause()
    drainFirst()
    done()
  })
  // Our preClose hook is not called if another plugin's preClose hook fails. The `close` of the server adds the drain then.
  // The server may also be closed by hand. The drain then waits in the queue until the app closes, and tasks go on.
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

/** Waits for all tasks, and stops the unfinished ones at the deadline. */
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

  /** As `run`. After the last drain, `add` throws FST_BGT_CLOSED. */
  async runLast (): Promise<void> {
    await this.#end()
    // Since the census was found empty, only an `onError` of stopped tasks can have added a task.
    this.#services.admission.closed = true
    this.#services.census.tasks().forEach(this.#leave)
    this.#unfinished.log(this.#app.log)
  }

  async #end (): Promise<void> {
    const { census, client, executor, schedules } = this.#services
    const deadline = this.#deadline ??= performance.now() + this.#timeoutMs
    schedules.stop()
    await executor.stopRetrying()
    // `#leave` stops tasks that the engine hands out all the same.
    await within(Math.max(0, deadline - performance.now()), () => client.pause()).catch(() => {})
    // `#leave` also stops tasks that are stored during the drain and cannot run here.
    client.onUnrunnable = this.#leave
    census.tasks().filter((task) => client.cannotRunHere(task)).forEach(this.#leave)
    if (!await this.#endsBy(deadline)) await this.#stopAll()
  }

  /** Whether all tasks end before the deadline. Code that waits for `idle` may add more tasks, which count too. */
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
    // When no task is unfinished, an `onError` is, and nothing can stop it.
    if (census.unfinished > 0) await census.whenEmpty(GRACE_MS)
    for (const task of census.reporting) this.#unfinished.addReport(task)
    census.tasks().forEach(this.#leave)
  }

  /** Stops a task, and has the log line name the task. */
  readonly #leave = (task: BackgroundTask): void => {
    // The end of an earlier task may have ended this one.
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
