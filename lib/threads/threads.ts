import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type { ThreadOptions } from '../../types/index.js'
import { errors } from '../errors.js'
import { Semaphore } from './semaphore.js'
import { type ThreadPool, openPool } from './pool.js'
import type { KeyedCall, ThreadCall, ThreadMessage, ThreadOutcome } from './call.js'
import { lostThread, resultOf } from './outcome.js'

/** An attempt as far as its thread is concerned. */
export interface ThreadAttempt {
  /** Its abort ends the thread. */
  readonly signal: AbortSignal
  /** A thread begins with the attempt. */
  onStart (): void
  onProgress (value: unknown): void
}

/** An attempt that a thread has, or is about to have. */
interface Running {
  readonly attempt: ThreadAttempt
  readonly abort: AbortController
  /** Progress messages received. */
  reports: number
}

// Registered, so that a task defined through the ESM build finds the threads of an app with the CommonJS build.
const kThreads = Symbol.for('fastify-background-tasks.threads')

/** The worker threads of an app. Before a task needs one, none is started and piscina not even loaded. */
export class Threads {
  readonly #options: ThreadOptions
  readonly #log: FastifyBaseLogger
  #pool: Promise<{ pool: ThreadPool, semaphore: Semaphore }> | undefined
  readonly #running = new Map<number, Running>()
  #nextKey = 0

  constructor (options: ThreadOptions, log: FastifyBaseLogger) {
    this.#options = options
    this.#log = log
  }

  /** Lets tasks find the threads through the app. */
  decorate (app: FastifyInstance): void {
    app.decorate(kThreads, this as object)
  }

  /**
   * Runs one attempt, as soon as a thread is free. Rejects with what the file throws, with the signal's reason, or with
   * FST_BGT_THREAD where the thread has ended before the file could say anything.
   */
  async run (call: ThreadCall, attempt: ThreadAttempt): Promise<unknown> {
    attempt.signal.throwIfAborted()
    const abort = new AbortController()
    const onAbort = (): void => { abort.abort(attempt.signal.reason) }
    attempt.signal.addEventListener('abort', onAbort)
    try {
      return await this.#runInTurn(call, { attempt, abort, reports: 0 })
    } finally {
      // The next attempt may have the same signal.
      attempt.signal.removeEventListener('abort', onAbort)
    }
  }

  /** Ends all threads. Every task has ended when it is called. */
  async close (): Promise<void> {
    const open = await this.#pool?.catch(() => undefined)
    // Its close() would reject some of the tasks that it waits for, but nothing is left to wait for.
    await open?.pool.destroy()
  }

  async #open (): Promise<{ pool: ThreadPool, semaphore: Semaphore }> {
    const pool = await openPool(this.#options)
    // A file may send messages of its own, null among them.
    pool.on('message', (message) => { this.#receive(message ?? {}) })
    pool.on('error', (error) => { this.#fail(pool, error) })
    // Piscina must not queue: its queue changes the order of tasks that have a signal, and stands still when the last
    // thread is ended while minThreads is 0.
    return { pool, semaphore: new Semaphore(Math.ceil(pool.maxThreads)) }
  }

  async #runInTurn (call: ThreadCall, running: Running): Promise<unknown> {
    const { signal } = running.abort
    const { pool, semaphore } = await (this.#pool ??= this.#open())
    await semaphore.enter(signal)
    try {
      signal.throwIfAborted()
      return await this.#runIn(pool, call, running)
    } finally {
      semaphore.leave()
    }
  }

  async #runIn (pool: ThreadPool, call: ThreadCall, running: Running): Promise<unknown> {
    const key = this.#nextKey++
    this.#running.set(key, running)
    const outcome = await this.#send(pool, { ...call, key }, running.abort.signal)
      .finally(() => { this.#running.delete(key) })
    if (running.reports < outcome.reports) report(running, outcome.progress)
    return resultOf(outcome, call)
  }

  async #send (pool: ThreadPool, call: KeyedCall, signal: AbortSignal): Promise<ThreadOutcome> {
    try {
      return await pool.run(call, { signal })
    } catch (error) {
      throw signal.aborted ? signal.reason : lostThread(call, error as Error)
    }
  }

  #receive (message: ThreadMessage): void {
    const running = this.#running.get(message.backgroundTask)
    if (running === undefined) return
    if (message.progress === undefined) return running.attempt.onStart()
    if (report(running, message.progress)) running.reports++
  }

  /** A thread without a task has failed. If no other is left, it was one that could not start, and piscina gives up. */
  #fail (pool: ThreadPool, err: Error): void {
    this.#log.error({ err }, 'background thread failed')
    if (pool.threads.length > 0) return
    for (const { abort } of this.#running.values()) {
      abort.abort(new errors.FST_BGT_THREAD(`no thread can be started: ${err.message}`, { cause: err }))
    }
  }
}

/** Passes progress on, unless this process cannot take it: a file's own message has no JSON, or JSON is nested too deep. */
function report ({ attempt }: Running, progress: unknown): boolean {
  if (typeof progress !== 'string') return false
  try {
    attempt.onProgress(JSON.parse(progress))
    return true
  } catch {
    return false
  }
}

/** The threads of the app. */
export function threadsOf (app: FastifyInstance): Threads {
  return (app as unknown as Record<symbol, Threads>)[kThreads]!
}
