import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { FlushOptions, NamedTaskOptions, RequestBackgroundTasks, ResponseEnd, TaskOptions, WaitUntilOptions } from '../../types/index.js'
import { isThenable } from '../run/attempt.js'
import { addChannel, needRequest, responseChannel } from '../run/channels.js'
import { type Definition, definitionOf } from '../named/definition.js'
import { assertLocal, namedCall } from '../named/named-call.js'
import { flushOptions } from '../options/flush-options.js'
import { type ResolvedRouteOptions, type ResolvedTaskOptions, taskOptions } from '../options/task-options.js'
import { isObject, isPlainObject } from '../options/rules.js'
import { invalidTask } from './invalid-task.js'
import { Outbox } from '../stored/outbox.js'
import { RegisteredTask } from '../stored/registered-task.js'
import type { Services } from '../stored/services.js'
import { SCHEDULE_KEY, Tick } from '../stored/tick.js'
import { toStored } from '../stored/to-stored.js'
import { UNSET_STATUS } from './response-end.js'
import { BackgroundTask } from '../task/task.js'
import type { TaskListOrigin } from './task-list-origin.js'
import { TaskQueue } from './task-queue.js'
import { followedName } from './wait-until.js'

type TaskFunction = (...args: any[]) => unknown

/** The tasks of one request, or the tasks that were added to the app. */
export class TaskList extends TaskQueue<Services> implements RequestBackgroundTasks {
  readonly server: FastifyInstance
  readonly reqId: string | undefined
  response: ResponseEnd | undefined = undefined
  request: FastifyRequest | undefined
  /** Undefined before our onRequest hook, and after the response is over. */
  reply: FastifyReply | undefined = undefined
  /** Whether the engine has failed: the error reply does not wait for it again. The other tasks are stored after that reply. */
  storesLate = false
  /** The logger that the request had when its response was over. */
  #log: FastifyBaseLogger
  readonly #options: ResolvedRouteOptions
  #outbox: Outbox | undefined = undefined
  #hasAdded = false

  constructor (services: Services, options: ResolvedRouteOptions, { server, log, reqId, request }: TaskListOrigin) {
    super(services)
    this.#options = options
    this.server = server
    this.#log = log
    this.reqId = reqId
    this.request = request
    if (request === undefined) this.limit = Infinity
  }

  /** The logger of the request, which a hook may replace until the response is over. */
  get log (): FastifyBaseLogger {
    return this.response === undefined && this.request !== undefined ? this.request.log : this.#log
  }

  add (...args: any[]): any {
    const [first] = args
    if (typeof first === 'function') return this.#add(first, first.name, args.slice(1), this.#options)
    const definition = isObject(first) ? definitionOf(first) : undefined
    if (definition !== undefined) return this.addNamed(definition, args[1], args[2])
    if (!isPlainObject(first) || isThenable(first) || typeof args[1] !== 'function') throw invalidTask(first, args[1])
    const options = taskOptions(this.#options, first)
    return this.#add(args[1], (first as TaskOptions).name ?? args[1].name, args.slice(2), options, first)
  }

  waitUntil (promise: PromiseLike<any>, options: WaitUntilOptions = {}): any {
    const { admission, executor } = this.services
    const task = new BackgroundTask(this, followedName(promise, options, admission, this.log), undefined, [], this.#options)
    task.state = 'active'
    this.#enter(task)
    executor.follow(task, promise)
    return task
  }

  clear (): number {
    return this.cancelWaiting() + this.services.admission.clearCaptured(this)
  }

  async flush (options: FlushOptions = {}): Promise<void> {
    const { client, admission } = this.services
    const { client: lent, tasks } = flushOptions(options, client.engine)
    // An earlier plugin's onRequest hook may call `flush` before our own hook has the reply.
    const sent = this.request && { outcome: 'sent' as const, statusCode: this.reply?.statusCode ?? UNSET_STATUS }
    // A captured task is in no outbox.
    await this.#keeper.flush(this.response ?? sent, lent, admission.capture === undefined ? tasks : undefined)
  }

  /** Stores the tasks whose `when` this status code meets. Undefined when the reply need not wait. */
  beforeSend (statusCode: number): Promise<void> | undefined {
    return this.storesLate ? undefined : this.#outbox?.beforeSend({ outcome: 'sent', statusCode })
  }

  /** Lets tasks start because the response is over. Only the first call counts. */
  end (outcome: ResponseEnd['outcome'], statusCode: number): void {
    if (this.isReleased) return
    this.limit = this.#options.requestConcurrency
    this.#log = this.log
    const { request, services: { admission, census, executor } } = this
    const response = this.response = { outcome, statusCode }
    if (this.#hasAdded && responseChannel.hasSubscribers) responseChannel.publish({ request, response })
    census.observer?.responded(this)
    this.reply = undefined
    // A waiting task must not keep the request's sockets, body and reply alive.
    if (!needRequest() && admission.capture === undefined) this.request = undefined
    this.#outbox?.end()
    executor.wake(this)
  }

  get #keeper (): Outbox {
    return (this.#outbox ??= new Outbox(this.services.client, this.services.executor))
  }

  /** `given`: the options of the call. A function that was added with options receives its task as the last argument. */
  #add (fn: TaskFunction, name: unknown, args: unknown[], options: ResolvedTaskOptions, given?: object): BackgroundTask {
    const { admission, executor } = this.services
    // The `name` of a class may be a static member of any type.
    const task = new BackgroundTask(this, typeof name === 'string' && name !== '' ? name : 'anonymous', fn, args, options)
    if (given !== undefined) task.args = [...args, task]
    if (admission.capture !== undefined) {
      admission.capture(task, args, given ?? {}, this.request)
      return task
    }
    admission.assertRoom(task.name)
    this.#enter(task)
    if (this.isReleased) executor.begin(task)
    return task
  }

  /** `tickId`: the id of the task of a tick. */
  protected addNamed (named: Definition, given: unknown, callOptions?: NamedTaskOptions, tickId?: string): BackgroundTask {
    const { registry, client, admission } = this.services
    const definition = registry.resolve(named)
    const { name } = definition
    const options = namedCall(this.#options, definition, callOptions)
    const call = tickId === undefined ? callOptions ?? {} : { key: SCHEDULE_KEY }
    const payload = admission.checkPayload(name, definition.parse(given))
    const isRegistered = registry.has(definition)
    if (isRegistered) registry.assertStorable(definition, options.retry)
    else assertLocal(call)
    const known = call.key === undefined ? undefined : this.#outbox?.find(name, call.key) ?? client.findByKey(name, call.key)
    if (known !== undefined) return known
    if (!isRegistered || admission.capture !== undefined) return this.#add(definition.run, name, [payload], options, callOptions ?? {})
    admission.assertRoom(name)
    const outbox = this.#keeper
    const stored = toStored(name, payload, options, call, this.reqId, tickId)
    const task = new (tickId === undefined ? RegisteredTask : Tick)(this, definition.run, [], options, stored, outbox)
    outbox.add(task)
    this.#enter(task)
    // No onSend hook is called after the response, or after hijack.
    if (this.isReleased || this.reply?.sent === true) outbox.storeSoon()
    return task
  }

  #enter (task: BackgroundTask): void {
    this.#hasAdded = true
    this.push(task)
    if (addChannel.hasSubscribers) addChannel.publish({ task, request: this.request })
  }
}
