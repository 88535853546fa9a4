import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type { ThreadOptions } from '../../types/index.js'
import { errors } from '../errors.js'
import { Semaphore } from './semaphore.js'
import { type ThreadPool, openPool } from './pool.js'
import type { KeyedCall, ThreadCall, ThreadMessage, ThreadOutcome } from './call.js'
import { lostThread, resultOf } from './outcome.js'

/** The part of an attempt that its thread needs. */
export interface ThreadAttempt {
  /** The thread ends when this signal aborts. */
  readonly signal: AbortSignal
  /** Called when a thread begins with the attempt. */
  onStart (): void
  onProgress (value: unknown): void
}

/** An attempt that runs in a thread, or waits for one. */
interface Running {
  readonly attempt: ThreadAttempt
  readonly abort: AbortController
  /** The number of progress messages received. */
  reports: number
}

// A global symbol: a task of the ESM build must find the threads of an app of the CommonJS build.
const kThreads = Symbol.for('fastify-background-tasks.threads')

/** The worker threads of an app. The first task with a file loads piscina and starts the threads. */
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
   * Runs one attempt as soon as a thread is free. Rejects with the value that the file throws, or with the reason of the signal.
   * @throws FST_BGT_THREAD when the thread ends before the call does
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

  /** Ends all threads. Every task must have ended before. */
  async close (): Promise<void> {
    const open = await this.#pool?.catch(() => undefined)
    // The `close` of piscina would reject some of the calls that it waits for. No call is left, so `destroy` will do.
    await open?.pool.destroy()
  }

  async #open (): Promise<{ pool: ThreadPool, semaphore: Semaphore }> {
    const pool = await openPool(this.#options)
    // A message from the code of a file may be null.
    pool.on('message', (message) => { this.#receive(message ?? {}) })
    pool.on('error', (error) => { this.#fail(pool, error) })
    // The semaphore keeps calls out of the queue of piscina. That queue changes the order of calls that have a signal. It also
    // stands still when the last thread ends while `minThreads` is 0.
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

  /** Reports a thread that failed without a task. If no thread is left, none can start: piscina has given up. */
  #fail (pool: ThreadPool, err: Error): void {
    this.#log.error({ err }, 'background thread failed')
    if (pool.threads.length > 0) return
    for (const { abort } of this.#running.values()) {
      abort.abort(new errors.FST_BGT_THREAD(`no thread can be started: ${err.message}`, { cause: err }))
    }
  }
}

/** Passes progress on. Returns false for a message that is not JSON, or whose JSON is too deep. */
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
