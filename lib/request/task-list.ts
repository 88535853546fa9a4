import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { NamedTaskOptions, RequestBackgroundTasks, ResponseEnd, TaskOptions, WaitUntilOptions } from '../../types/index.js'
import { isThenable } from '../run/attempt.js'
import { addChannel, runChannel } from '../run/channels.js'
import { type Definition, definitionOf } from '../named/define-task.js'
import type { Executor } from '../run/executor.js'
import { namedCall } from '../named/named-call.js'
import { type ResolvedRouteOptions, type ResolvedTaskOptions, taskOptions } from '../options/options.js'
import { invalidTask } from './invalid-task.js'
import { Outbox, assertLocal, assertStorable } from '../stored/outbox.js'
import { UNSET_STATUS } from './response-end.js'
import { isObject, isPlainObject } from '../options/rules.js'
import type { Store } from '../stored/store.js'
import { BackgroundTask } from '../task/task.js'
import { TaskQueue } from './task-queue.js'
import { followedName } from './wait-until.js'

type TaskFunction = (...args: any[]) => unknown

/** What a list belongs to. */
export interface TaskListOrigin {
  readonly server: FastifyInstance
  readonly log: FastifyBaseLogger
  readonly reqId?: string | undefined
  /** Without one, tasks may start at once. */
  readonly request?: FastifyRequest
}

/** The tasks of one request, or those added without one. */
export class TaskList extends TaskQueue implements RequestBackgroundTasks {
  readonly server: FastifyInstance
  readonly reqId: string | undefined
  response: ResponseEnd | undefined = undefined
  request: FastifyRequest | undefined
  /** Until the response is over. */
  reply: FastifyReply | undefined = undefined
  /** The engine has failed: the error reply does not wait for it again, what is left is stored when it is over. */
  storesLate = false
  /** The request's logger when its response was over. */
  #log: FastifyBaseLogger
  readonly #store: Store
  readonly #options: ResolvedRouteOptions
  /** Registered tasks that the engine does not have yet. */
  #outbox: Outbox | undefined = undefined

  constructor (store: Store, options: ResolvedRouteOptions, { server, log, reqId, request }: TaskListOrigin) {
    super()
    this.#store = store
    this.#options = options
    this.server = server
    this.#log = log
    this.reqId = reqId
    this.request = request
    if (request === undefined) this.limit = Infinity
  }

  /** Until the response is over, another hook may replace the request's logger. */
  get log (): FastifyBaseLogger {
    return this.response === undefined && this.request !== undefined ? this.request.log : this.#log
  }

  add (...args: any[]): any {
    const [first] = args
    if (typeof first === 'function') return this.#add(first, first.name, args.slice(1), this.#options)
    const definition = isObject(first) ? definitionOf(first) : undefined
    if (definition !== undefined) return this.#addNamed(definition, args[1], args[2])
    if (!isPlainObject(first) || isThenable(first) || typeof args[1] !== 'function') throw invalidTask(first, args[1])
    const options = taskOptions(this.#options, first)
    return this.#add(args[1], (first as TaskOptions).name ?? args[1].name, args.slice(2), options, first)
  }

  waitUntil (promise: PromiseLike<any>, options: WaitUntilOptions = {}): any {
    const name = followedName(promise, options, this.#executor.admission, this.log)
    const task = new BackgroundTask(this, name, undefined, [], this.#options)
    task.state = 'active'
    this.#enter(task)
    this.#executor.follow(task, promise)
    return task
  }

  clear (): number {
    return this.cancelWaiting() + this.#executor.admission.clearCaptured(this)
  }

  async flush (): Promise<void> {
    // An earlier plugin's onRequest hook may call this before ours has shown the reply.
    await this.#outbox?.flush(this.response ?? { outcome: 'sent', statusCode: this.reply?.statusCode ?? UNSET_STATUS })
  }

  /** The response is about to leave: stores what it wants. Undefined when there is nothing to wait for. */
  beforeSend (statusCode: number): Promise<void> | undefined {
    if (this.storesLate) return undefined
    return this.#outbox?.beforeSend({ outcome: 'sent', statusCode })
  }

  /** The response is over: tasks may start. Only the first call counts. */
  end (outcome: ResponseEnd['outcome'], statusCode: number): void {
    if (this.limit > 0) return
    this.limit = this.#options.requestConcurrency
    this.#log = this.log
    this.response = { outcome, statusCode }
    this.reply = undefined
    // A waiting task must not keep the request's sockets, body and reply alive.
    if (!this.#isLookedAt) this.request = undefined
    this.#outbox?.end()
    this.#executor.wake(this)
  }

  track (task: BackgroundTask, id: string): void {
    this.#executor.history.track(task, id)
  }

  changed (task: BackgroundTask): void {
    this.#executor.census.changed(task)
  }

  ended (task: BackgroundTask): void {
    const { extras } = task
    if (extras?.run !== undefined) extras.run.end()
    else if (extras?.isStored === true) this.#store.drop(task)
    else this.#outbox?.remove(task)
  }

  cancel (task: BackgroundTask, reason: unknown): boolean {
    if (task.extras?.isGone === true) return task.extras.cancelGone?.(reason) ?? false
    if (this.#outbox?.has(task) === false && this.#store.cancelLate(task, reason)) return true
    const isRunByEngine = task.extras?.run !== undefined
    this.#executor.cancel(task, this, reason)
    // So that its key is free at once.
    if (isRunByEngine) this.#store.drop(task)
    return true
  }

  /** Whether somebody wants to see the requests of tasks. */
  get #isLookedAt (): boolean {
    return addChannel.hasSubscribers || runChannel.hasSubscribers || this.#executor.admission.capture !== undefined
  }

  get #executor (): Executor {
    return this.#store.executor
  }

  /** `given`: the options of the call; with them the function is passed its task too. */
  #add (fn: TaskFunction, name: unknown, args: unknown[], options: ResolvedTaskOptions, given?: object): BackgroundTask {
    // A class may have a static `name` that is anything.
    const task = new BackgroundTask(this, typeof name === 'string' && name !== '' ? name : 'anonymous', fn, args, options)
    if (given !== undefined) task.args = [...args, task]
    if (this.#isCaptured(task, args, given)) return task
    this.#executor.admission.assertRoom(task.name)
    this.#enter(task)
    if (this.limit > 0) this.#executor.begin(task)
    return task
  }

  #addNamed (definition: Definition, given: unknown, callOptions?: NamedTaskOptions): BackgroundTask {
    const { name } = definition
    const options = namedCall(this.#options, definition, callOptions)
    const call = callOptions ?? {}
    const payload = definition.parse(given)
    if (!this.#store.has(definition)) {
      assertLocal(call)
      return this.#add(definition.run, name, [payload], options, call)
    }
    this.#outbox ??= new Outbox(this.#store)
    assertStorable(options, definition, this.#store)
    const { key } = call
    const known = key === undefined ? undefined : this.#outbox.find(name, key) ?? this.#store.findLocal(name, key)
    if (known !== undefined) return known
    const task = new BackgroundTask(this, name, definition.run, [payload], options)
    task.args = [payload, task]
    if (this.#isCaptured(task, [payload], call)) return task
    this.#executor.admission.assertRoom(name)
    this.#outbox.add(task, payload, call)
    this.#enter(task)
    // Where no reply is to come, onSend does not either.
    if (this.limit > 0 || this.reply?.sent === true) this.#outbox.storeSoon()
    return task
  }

  #isCaptured (task: BackgroundTask, args: unknown[], options: object = {}): boolean {
    const { capture } = this.#executor.admission
    capture?.(task, args, options, this.request)
    return capture !== undefined
  }

  #enter (task: BackgroundTask): void {
    this.#executor.census.enter(task, this)
    if (addChannel.hasSubscribers) addChannel.publish({ task, request: this.request })
  }
}
