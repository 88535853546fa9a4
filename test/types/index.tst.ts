import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyPluginAsync, type FastifyRequest } from 'fastify'
import { describe, expect, test } from 'tstyche'
import backgroundTasks, {
  type AppBackgroundTasks, type BackgroundTasksOptions, type ListedTask, type RequestBackgroundTasks, type ResponseEnd, type RetryOptions,
  type RouteTaskOptions, type StoredCounts, type Task, type TaskAdder, type TaskCounts, type TaskMessage, type TaskOptions, type TaskPage, type TaskSnapshot, type TaskState, type TaskStats,
  backgroundTasks as named, errors
} from '../../index.js'

declare const tasks: TaskAdder
declare const user: { id: number, email: string }

function sendEmail (to: string, subject: string): boolean { return to !== subject }
async function resize (key: string, width: number): Promise<{ bytes: number }> { return { bytes: key.length * width } }

test('the message of the diagnostics channels', () => {
  expect<TaskMessage>().type.toBe<{ task: Task, request: FastifyRequest | undefined }>()
})

test('a task', () => {
  const task = tasks.add(resize, 'a', 1)
  expect(task.id).type.toBe<string>()
  expect(task.name).type.toBe<string>()
  expect(task.state).type.toBe<TaskState>()
  expect<TaskState>().type.toBe<'waiting' | 'active' | 'delayed' | 'completed' | 'failed' | 'cancelled' | 'skipped'>()
  expect(task.attempt).type.toBe<number>()
  expect(task.signal).type.toBe<AbortSignal>()
  expect(task.log).type.toBe<FastifyBaseLogger>()
  expect(task.server).type.toBe<FastifyInstance>()
  expect(task.response).type.toBe<ResponseEnd | undefined>()
  expect(task.error).type.toBe<unknown>()
  expect(task.cancel()).type.toBe<boolean>()
  expect(task.cancel).type.toBeCallableWith({ any: 'reason' })
  expect(task.progress).type.toBeCallableWith(0.5)
  expect(task.progress).type.not.toBeCallableWith()
  expect(task.toJSON()).type.toBe<TaskSnapshot>()
  expect(task).type.not.toHaveProperty('then')
  expect(task).type.toBeAssignableTo<Task>()
  expect<Task<string>>().type.not.toBeAssignableTo<Task<number>>()
})

describe('what Fastify gets', () => {
  const app = Fastify()

  test('request, instance and route config', () => {
    expect(app.backgroundTasks).type.toBe<AppBackgroundTasks>()
    app.get('/', { config: { backgroundTasks: { when: 'success', requestConcurrency: 2, timeout: 5, retry: 1 } } }, async (request) => {
      expect(request.backgroundTasks).type.toBe<RequestBackgroundTasks>()
      expect(request.backgroundTasks.size).type.toBe<number>()
      expect(request.backgroundTasks.clear()).type.toBe<number>()
      request.backgroundTasks.add(sendEmail, user.email, 'welcome')
      expect(request.routeOptions.config.backgroundTasks).type.toBeAssignableTo<RouteTaskOptions | undefined>()
    })
    app.get<{ Body: { email: string } }>('/body', async (request) => {
      request.backgroundTasks.add(sendEmail, request.body.email, 'welcome')
      expect(request.backgroundTasks.add).type.not.toBeCallableWith(sendEmail, request.body, 'welcome')
    })
  })

  test('looking at tasks', () => {
    expect(app.backgroundTasks.list).type.toBeCallableWith({ state: 'failed' })
    expect(app.backgroundTasks.list).type.toBeCallableWith({ state: 'skipped', name: 'a', limit: 5, cursor: 'x' })
    expect(app.backgroundTasks.list).type.not.toBeCallableWith({ name: 'a' })
    expect(app.backgroundTasks.list).type.not.toBeCallableWith({ state: 'done' })
    expect(app.backgroundTasks.list).type.not.toBeCallableWith({ state: 'failed', page: 2 })
    expect(app.backgroundTasks.list({ state: 'failed' })).type.toBe<Promise<TaskPage>>()
    expect<TaskPage>().type.toBe<{ tasks: ListedTask[], cursor?: string, scanned: number }>()
    expect<ListedTask>().type.toBeAssignableTo<TaskSnapshot>()
    expect<ListedTask['where']>().type.toBe<'process' | 'stored'>()
    expect<ListedTask>().type.not.toHaveProperty('payload')
    expect(app.backgroundTasks.counts()).type.toBe<Promise<TaskCounts>>()
    expect<TaskCounts['process']>().type.toBe<Record<TaskState, number>>()
    expect<TaskCounts['stored']>().type.toBe<StoredCounts | undefined>()
    expect<keyof StoredCounts>().type.toBe<'waiting' | 'active' | 'delayed' | 'completed' | 'failed'>()
    expect(app.backgroundTasks.retry('id')).type.toBe<Promise<boolean>>()
    expect(app.backgroundTasks.retry).type.not.toBeCallableWith()
  })

  test('app.backgroundTasks', () => {
    expect(app.backgroundTasks.idle()).type.toBe<Promise<void>>()
    expect(app.backgroundTasks.idle).type.toBeCallableWith({ timeout: 5 })
    expect(app.backgroundTasks.idle).type.not.toBeCallableWith(5)
    expect(app.backgroundTasks.stats()).type.toBe<TaskStats>()
    expect(app.backgroundTasks.get('id')).type.toBe<Promise<TaskSnapshot | undefined>>()
    expect(app.backgroundTasks.cancel('id', 'reason')).type.toBe<Promise<boolean>>()
    expect(app.backgroundTasks).type.not.toHaveProperty('clear')
    expect(app.backgroundTasks).type.not.toHaveProperty('size')
  })

  test('register', () => {
    expect(named).type.toBe<typeof backgroundTasks>()
    expect(backgroundTasks).type.toBeAssignableTo<FastifyPluginAsync<BackgroundTasksOptions>>()
    expect(app.register).type.toBeCallableWith(backgroundTasks)
    expect(app.register).type.toBeCallableWith(backgroundTasks, { concurrency: 5, retry: 3, timeout: 1000 })
    expect(app.register).type.toBeCallableWith(backgroundTasks, {
      onError (error: unknown, task: Task) { task.log.error(error) }, maxPending: 5, closeTimeout: 0, history: 0
    })
    expect(app.register).type.not.toBeCallableWith(backgroundTasks, { concurency: 5 })
    expect(app.register).type.not.toBeCallableWith(backgroundTasks, { concurrency: '5' })
    expect(app.register).type.not.toBeCallableWith(backgroundTasks, { name: 'x' })
  })
})

test('options', () => {
  expect<BackgroundTasksOptions>().type.toBeAssignableFrom<RouteTaskOptions>()
  expect<TaskOptions['retry']>().type.toBe<number | RetryOptions | undefined>()
  expect<RetryOptions>().type.toBeAssignableFrom<{ retries: number }>()
  expect<RetryOptions>().type.not.toBeAssignableFrom<{ delay: number }>()
  const retry: RetryOptions = {
    retries: 1,
    retryIf (error, task) {
      expect(error).type.toBe<unknown>()
      expect(task).type.toBe<Task>()
      return task.attempt < 2
    }
  }
  expect(tasks.add).type.toBeCallableWith({ retry }, () => {})
})

test('errors can be told apart by their code', () => {
  const error = new errors.FST_BGT_FULL(5)
  expect(error.code).type.toBe<'FST_BGT_FULL'>()
  expect(errors.FST_BGT_FULL).type.not.toBeConstructableWith('5')
})
