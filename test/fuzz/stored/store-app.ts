import Fastify, { type FastifyInstance } from 'fastify'
import backgroundTasks, { type Engine, type Task, defineTask } from '../../../index.js'
import { type Latch, createLatch } from '../../support/latch.js'
import type { Model } from './model.js'
import type { StoredPlan } from './plan.js'

/** Where tasks are stored. */
export interface FuzzStore {
  /** Whether the tasks outlive their app. */
  isKept: boolean
  /** An engine on the same tasks as all others of this queue; undefined for that of the plugin itself. */
  open (queue: string): Promise<Engine | undefined>
}

/** An app that stores tasks and runs them. */
export class StoreApp {
  readonly app: FastifyInstance
  #released: Latch = createLatch()
  #isOpen = false

  private constructor (app: FastifyInstance) {
    this.app = app
  }

  static async open (model: Model, engine: Engine | undefined, concurrency: number | undefined): Promise<StoreApp> {
    const app = Fastify()
    const self = new StoreApp(app)
    const work = defineTask({
      name: 'work',
      payload: { type: 'object' },
      handler: (payload, task) => self.#run(model, task, payload as StoredPlan, concurrency)
    })
    await app.register(backgroundTasks, {
      tasks: [work],
      closeTimeout: 0,
      storeTimeout: 60_000,
      ...(engine !== undefined && { engine }),
      ...(concurrency !== undefined && { concurrency })
    })
    app.post('/', async (request) => {
      const { tasks, clear = false } = request.body as { tasks: StoredPlan[], clear?: boolean }
      const added = tasks.map((plan) => {
        const { key, priority, delay, retries } = plan
        const retry = retries === undefined ? {} : { retry: { retries, delay: 1, jitter: false } }
        const call = JSON.parse(JSON.stringify({ key, priority, delay }))
        return request.backgroundTasks.add(work, plan, { ...retry, ...call })
      })
      if (clear) request.backgroundTasks.clear()
      await request.backgroundTasks.flush()
      return added.map(({ id }) => id)
    })
    await app.ready()
    return self
  }

  async add (tasks: StoredPlan[], clear: boolean): Promise<string[]> {
    const reply = await this.app.inject({ method: 'POST', url: '/', payload: { tasks, clear } })
    if (reply.statusCode !== 200) throw new Error(`add: ${reply.statusCode} ${reply.body}`)
    return reply.json()
  }

  /** Lets the tasks that are held go on; with `forGood` those to come too. */
  release (forGood = false): void {
    this.#isOpen = forGood
    this.#released.resolve()
    this.#released = createLatch()
  }

  hold (): void {
    this.#isOpen = false
  }

  async #run (model: Model, task: Task, plan: StoredPlan, concurrency: number | undefined): Promise<void> {
    const entry = model.start(task, plan, concurrency)
    const { signal, attempt } = task
    try {
      if (plan.held === true && !this.#isOpen) {
        await Promise.race([this.#released.promise, new Promise((resolve) => { signal.addEventListener('abort', resolve) })])
      }
      signal.throwIfAborted()
      if (attempt > (plan.fails ?? 0)) return
      entry.failures++
      throw new Error(`attempt ${attempt}`)
    } finally {
      entry.isRunning = false
    }
  }
}
