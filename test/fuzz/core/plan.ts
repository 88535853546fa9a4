import fc, { type Arbitrary } from 'fast-check'
import { between, numbered, once, oneOf, record, upTo } from '../arbitraries.js'

/** Where in the life of a request a task is added: `early` by a hook in front of the plugin's, `after` behind the response. */
export const PLACES = ['early', 'onRequest', 'preHandler', 'handler', 'late', 'onSend', 'onResponse', 'after'] as const
export type Place = typeof PLACES[number]

export const VIAS = ['function', 'options', 'named', 'registered', 'waitUntil'] as const

/** A task. What is absent is the simplest: a function that returns at once, added by the handler. */
export interface TaskPlan {
  via?: typeof VIAS[number]
  /** Added to the app, not to the request. */
  onApp?: boolean
  place?: Place
  when?: 'success' | 'error'
  timeout?: number
  retries?: number
  retryDelay?: number
  /** Of a registered task. */
  delay?: number
  /** How many attempts fail. */
  fails?: number
  /** What an attempt does: some turns of the event loop, some milliseconds, or it waits to be released. */
  work?: { turns: number } | { ms: number } | { held: true }
  /** An attempt fails once its signal aborts. */
  obeys?: boolean
  cancel?: 'added' | 'inside'
  readsId?: boolean
  /** What its first attempt adds. */
  adds?: TaskPlan[]
}

export interface RequestPlan {
  /** Requests of one connection are pipelined under HTTP/1.1. */
  connection?: number
  /** The route that lets three tasks of the request run at once. */
  wide?: boolean
  reply?: 'throw' | 'stream' | 'broken' | 'hijack'
  status?: number
  /** Turns of the event loop before the reply. */
  turns?: number
  /** The client goes: before the reply, which waits for that, or while the handler works. */
  abort?: 'before' | 'meanwhile'
  clear?: Place
  tasks: TaskPlan[]
}

export type Step =
  | { do: 'request', request: RequestPlan }
  | { do: 'add', task: TaskPlan }
  | { do: 'turns' | 'ticks' | 'cancel' | 'cancelById' | 'clear' | 'idle', n: number }
  | { do: 'release' | 'rest' | 'capture' | 'runCaptured' | 'clearCaptured' | 'restore' | 'close' }

export interface Options {
  concurrency?: number
  requestConcurrency?: number
  maxPending?: number
  closeTimeout?: number
  history?: number
}

export interface Plan {
  transport: 'inject' | 'http1' | 'http2'
  /** How far the clock goes each time that it is read: tasks that take long use up their share of a turn. */
  clockStep: number
  options: Options
  steps: Step[]
}

const work = fc.oneof(
  record<{ turns: number }>({ turns: upTo(4) }), record<{ ms: number }>({ ms: between(1, 30) }), record<{ held: true }>({ held: fc.constant(true as const) })
)

function task (adds: Arbitrary<TaskPlan[] | undefined>): Arbitrary<TaskPlan> {
  return record<TaskPlan>({
    via: fc.constantFrom(undefined, ...VIAS),
    onApp: once(5, fc.constant(true)),
    place: once(2, fc.constantFrom(...PLACES)),
    when: once(4, fc.constantFrom('success', 'error')),
    timeout: once(5, between(1, 30)),
    retries: once(3, upTo(3)),
    retryDelay: once(3, upTo(10)),
    delay: once(5, upTo(10)),
    fails: once(2, upTo(4)),
    work: once(2, work),
    obeys: once(3, fc.constant(true)),
    cancel: once(12, fc.constantFrom('added', 'inside')),
    readsId: once(3, fc.constant(true)),
    adds
  })
}

const someTask = task(once(5, fc.array(task(fc.constant(undefined)), { minLength: 1, maxLength: 2 })))

const request = record<RequestPlan>({
  connection: once(2, upTo(1)),
  wide: once(4, fc.constant(true)),
  reply: once(3, fc.constantFrom('throw', 'stream', 'broken', 'hijack')),
  status: once(2, fc.constantFrom(201, 302, 404, 500)),
  turns: once(2, upTo(6)),
  abort: once(4, fc.constantFrom('before', 'meanwhile')),
  clear: once(15, fc.constantFrom(...PLACES)),
  tasks: fc.array(someTask, { maxLength: 4 })
})

const step: Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: record<{ do: 'request', request: RequestPlan }>({ do: fc.constant('request' as const), request }) },
  { weight: 3, arbitrary: record<{ do: 'add', task: TaskPlan }>({ do: fc.constant('add' as const), task: someTask }) },
  { weight: 5, arbitrary: numbered('turns', 'ticks') },
  { weight: 2, arbitrary: numbered('cancel', 'cancelById', 'clear', 'idle') },
  { weight: 2, arbitrary: oneOf('rest', 'release') },
  { weight: 1, arbitrary: oneOf('close') },
  { weight: 1, arbitrary: oneOf('capture', 'runCaptured', 'clearCaptured', 'restore') }
) as Arbitrary<Step>

export const plan: Arbitrary<Plan> = record<Plan>({
  transport: fc.constantFrom('inject', 'http1', 'http2'),
  clockStep: fc.constantFrom(0, 0.02, 0.4),
  options: record<Options>({
    concurrency: once(2, between(1, 4)),
    requestConcurrency: once(3, between(1, 3)),
    maxPending: once(4, between(1, 12)),
    closeTimeout: once(2, upTo(40)),
    history: once(3, upTo(20))
  }),
  steps: fc.array(step, { minLength: 1, maxLength: 14 })
})
