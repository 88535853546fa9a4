import { Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { expect, test } from 'tstyche'
import { type BackgroundTasksOptions, type NamedTask, type Task, type ThreadTask, defineTask } from '../../index.js'

declare const app: FastifyInstance
const name = 'thumbnail'
const payload = Type.Object({ path: Type.String(), width: Type.Optional(Type.Integer()) })
const result = Type.Object({ bytes: Type.Integer() })
const file = new URL('./thumbnail.js', import.meta.url)
const handler = (): void => {}

test('a file task is typed by its schemas as one with a handler', () => {
  const thumbnail = defineTask({ name, payload, result, file, timeout: 10_000, retry: { retries: 2 }, when: 'success' })
  expect(thumbnail).type.toBe<NamedTask<{ path: string, width?: number }, { bytes: number }>>()
  expect(app.backgroundTasks.add(thumbnail, { path: 'a.png' })).type.toBe<Task<{ bytes: number }>>()
  expect(app.backgroundTasks.add).type.not.toBeCallableWith(thumbnail, { path: 5 })
})

test('a file is a URL or a string', () => {
  expect(defineTask).type.toBeCallableWith({ name, payload, file })
  expect(defineTask).type.toBeCallableWith({ name, payload, file: file.href })
  expect(defineTask).type.not.toBeCallableWith({ name, payload, file: 5 })
})

test('a task has a handler or a file, not both, and a declaration has neither', () => {
  expect(defineTask).type.toBeCallableWith({ name, payload, handler })
  expect(defineTask).type.not.toBeCallableWith({ name, payload, file, handler })
  expect(defineTask).type.toBeCallableWith({ name, payload })
})

test('a handler beside the other kind still knows its payload, its task and the app', () => {
  defineTask({
    name,
    payload,
    result,
    async handler (given, task) {
      expect(given).type.toBe<{ path: string, width?: number }>()
      expect(task).type.toBe<Task>()
      expect(this).type.toBe<FastifyInstance>()
      return { bytes: given.path.length }
    }
  })
  expect(defineTask).type.not.toBeCallableWith({ name, payload, result, handler: () => ({ bytes: 'many' }) })
})

test('what the default export of a file receives has a type', () => {
  const thumbnail = (payload: { path: string }, task: ThreadTask): void => {
    expect(task.id).type.toBe<string>()
    expect(task.name).type.toBe<string>()
    expect(task.attempt).type.toBe<number>()
    expect(task.progress).type.toBeCallableWith(0.5)
    expect(task).type.not.toHaveProperty('signal')
  }
  expect(thumbnail).type.toBeCallableWith({ path: 'a.png' }, {} as ThreadTask)
})

test('threads takes the options of piscina', () => {
  expect<BackgroundTasksOptions>().type.toBeAssignableFrom({
    threads: { minThreads: 1, maxThreads: 4, resourceLimits: { maxOldGenerationSizeMb: 256 }, niceIncrement: 10 }
  })
  expect<BackgroundTasksOptions>().type.not.toBeAssignableFrom({ threads: { maxThreads: '4' } })
  expect<BackgroundTasksOptions>().type.not.toBeAssignableFrom({ threads: { resourceLimits: 256 } })
  expect<BackgroundTasksOptions>().type.not.toBeAssignableFrom({ threads: 4 })
})
