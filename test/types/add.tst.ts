import { describe, expect, test } from 'tstyche'
import type { Task, TaskAdder } from '../../index.js'

declare const tasks: TaskAdder
declare const user: { id: number, email: string }

function sendEmail (to: string, subject: string): boolean { return to !== subject }
function withOptional (to: string, copies?: number): unknown { return [to, copies] }
function withDefault (to: string, copies = 1): unknown { return [to, copies] }
function withRest (to: string, ...sizes: number[]): unknown { return [to, sizes] }
function withMeta (to: string, meta?: unknown): unknown { return [to, meta] }
function identity<T> (value: T): T { return value }
function idOf<T extends { id: number }> (value: T): T['id'] { return value.id }
function overloaded (key: string): string
function overloaded (x: number, y: number): number
function overloaded (value: string | number, y?: number): string | number { return y ?? value }
async function resize (key: string, width: number): Promise<{ bytes: number }> { return { bytes: key.length * width } }
async function resizeAsTask (key: string, width: number, task: Task): Promise<string> { return `${key} ${width} ${task.id}` }
class Mailer {
  send (to: string): unknown { return [this, to] }
}
const mailer = new Mailer()

describe('the function form', () => {
  test('takes exactly the arguments of the function', () => {
    expect(tasks.add).type.toBeCallableWith(sendEmail, 'ada@example.com', 'welcome')
    expect(tasks.add).type.not.toBeCallableWith(sendEmail, 'ada@example.com')
    expect(tasks.add).type.not.toBeCallableWith(sendEmail)
    expect(tasks.add).type.not.toBeCallableWith(sendEmail, 'ada@example.com', 'welcome', 'more')
    expect(tasks.add).type.not.toBeCallableWith(sendEmail, 'ada@example.com', 1)
    expect(tasks.add).type.not.toBeCallableWith(sendEmail, undefined, 'welcome')
    expect(tasks.add).type.toBeCallableWith(() => {})
    expect(tasks.add).type.not.toBeCallableWith(() => {}, 'more')
  })

  test('takes optional, default and rest parameters', () => {
    expect(tasks.add).type.toBeCallableWith(withOptional, 'a')
    expect(tasks.add).type.toBeCallableWith(withOptional, 'a', 1)
    expect(tasks.add).type.not.toBeCallableWith(withOptional)
    expect(tasks.add).type.not.toBeCallableWith(withOptional, 'a', 'b')
    expect(tasks.add).type.not.toBeCallableWith(withOptional, 'a', 1, 2)
    expect(tasks.add).type.toBeCallableWith(withDefault, 'a')
    expect(tasks.add).type.toBeCallableWith(withDefault, 'a', 1)
    expect(tasks.add).type.toBeCallableWith(withRest, 'a')
    expect(tasks.add).type.toBeCallableWith(withRest, 'a', 1, 2)
    expect(tasks.add).type.not.toBeCallableWith(withRest, 'a', 1, 'b')
  })

  test('takes literals, objects and arrays as the parameters want them', () => {
    expect(tasks.add((size: 's' | 'm') => size, 's')).type.toBe<Task<'s' | 'm'>>()
    expect(tasks.add((sizes: number[]) => sizes.length, [1, 2])).type.toBe<Task<number>>()
    expect(tasks.add((image: { key: string, width?: number }) => image.key, { key: 'a' })).type.toBe<Task<string>>()
  })

  test('takes generic, overloaded, bound and built-in functions', () => {
    expect(tasks.add(idOf, user)).type.toBe<Task<number>>()
    expect(tasks.add(identity<string>, 'a')).type.toBe<Task<string>>()
    expect(tasks.add(identity, 'a')).type.toBe<Task<string>>()
    expect(tasks.add).type.not.toBeCallableWith(idOf, { id: 'a' })
    expect(tasks.add(overloaded, 'key')).type.toBe<Task<string>>()
    expect(tasks.add(overloaded, 1, 2)).type.toBe<Task<number>>()
    expect(tasks.add).type.not.toBeCallableWith(overloaded, 'key', 2)
    expect(tasks.add).type.not.toBeCallableWith(overloaded, 1)
    expect(tasks.add(sendEmail.bind(null, 'ada@example.com'), 'welcome')).type.toBe<Task<boolean>>()
    expect(tasks.add(mailer.send.bind(mailer), 'ada@example.com')).type.toBe<Task<unknown>>()
    expect(tasks.add).type.toBeCallableWith(console.log, 'a', 1)
  })

  test('types the parameters of a function written in place by its arguments', () => {
    tasks.add((someone, size) => {
      expect(someone).type.toBe<{ id: number, email: string }>()
      expect(size).type.toBe<number>()
    }, user, 1)
  })

  test('gives a task of the awaited result', () => {
    expect(tasks.add(sendEmail, 'a', 'b')).type.toBe<Task<boolean>>()
    expect(tasks.add(resize, 'a', 1)).type.toBe<Task<{ bytes: number }>>()
    expect(tasks.add(async () => {})).type.toBe<Task<void>>()
    expect(tasks.add(() => Promise.resolve(Promise.resolve(1)))).type.toBe<Task<number>>()
    expect(tasks.add(resize, 'a', 1).result).type.toBe<{ bytes: number } | undefined>()
  })

  test('takes nothing that is not a function', () => {
    expect(tasks.add).type.not.toBeCallableWith()
    expect(tasks.add).type.not.toBeCallableWith(undefined)
    expect(tasks.add).type.not.toBeCallableWith(null)
    expect(tasks.add).type.not.toBeCallableWith('sendEmail')
    expect(tasks.add).type.not.toBeCallableWith(resize('a', 1))
    expect(tasks.add).type.not.toBeCallableWith([sendEmail, 'a', 'b'])
  })
})

describe('the options form', () => {
  test('types the task behind the arguments', () => {
    tasks.add({ timeout: 1 }, async (task) => {
      expect(task).type.toBe<Task>()
      expect(task.signal).type.toBe<AbortSignal>()
    })
    tasks.add({ name: 'email', retry: 3 }, (task) => { expect(task).type.toBe<Task>() })
    const retry = { retries: 1, delay: 0, jitter: false }
    tasks.add({ name: 'email', retry }, (task) => { expect(task).type.toBe<Task>() })
    tasks.add({}, (email, size, task) => {
      expect(email).type.toBe<string>()
      expect(size).type.toBe<number>()
      expect(task).type.toBe<Task>()
    }, 'x', 1)
    tasks.add({}, (email: string, task) => { expect(task).type.toBe<Task>() }, 'x')
    tasks.add({}, function (task) { expect(task).type.toBe<Task>() })
  })

  test('takes functions that declare the task', () => {
    expect(tasks.add({}, resizeAsTask, 'a', 1)).type.toBe<Task<string>>()
    expect(tasks.add).type.not.toBeCallableWith({}, resizeAsTask, 'a')
    expect(tasks.add).type.not.toBeCallableWith({}, resizeAsTask, 'a', '1')
    expect(tasks.add).type.not.toBeCallableWith({}, resizeAsTask, 'a', 1, 2)
    expect(tasks.add({}, (...args: [string, Task]) => args[1].attempt, 'a')).type.toBe<Task<number>>()
    expect(tasks.add({}, (key: string, task: Task<any>) => key, 'a')).type.toBe<Task<string>>()
    expect(tasks.add({}, (key: string, task?: Task) => key, 'a')).type.toBe<Task<string>>()
  })

  test('takes functions that do not', () => {
    expect(tasks.add({}, sendEmail, 'a', 'b')).type.toBe<Task<boolean>>()
    expect(tasks.add({}, resize, 'a', 1)).type.toBe<Task<{ bytes: number }>>()
    expect(tasks.add({}, () => 1)).type.toBe<Task<number>>()
    expect(tasks.add({}, withOptional, 'a', 1)).type.toBe<Task<unknown>>()
    expect(tasks.add({}, withOptional, 'a', undefined)).type.toBe<Task<unknown>>()
    expect(tasks.add({}, (size: 's' | 'm') => size, 's')).type.toBe<Task<'s' | 'm'>>()
    expect(tasks.add({}, (key: string, other: any) => [key, other], 'a', 1)).type.toBe<Task<any[]>>()
    expect(tasks.add({}, idOf, user)).type.toBe<Task<number>>()
    expect(tasks.add({}, overloaded, 'key')).type.toBe<Task<string>>()
    expect(tasks.add({}, overloaded, 1, 2)).type.toBe<Task<number>>()
    expect(tasks.add).type.not.toBeCallableWith({}, sendEmail, 'a')
    expect(tasks.add).type.not.toBeCallableWith({}, sendEmail, 'a', 1)
    expect(tasks.add).type.not.toBeCallableWith({}, sendEmail, 'a', 'b', 'c')
  })

  test('takes no function with optional or rest parameters left over, of which one would receive the task', () => {
    expect(tasks.add).type.not.toBeCallableWith({}, withOptional, 'a')
    expect(tasks.add).type.not.toBeCallableWith({}, withDefault, 'a')
    expect(tasks.add).type.not.toBeCallableWith({}, withMeta, 'a')
    expect(tasks.add).type.not.toBeCallableWith({}, withRest, 'a')
    expect(tasks.add).type.not.toBeCallableWith({}, withRest, 'a', 1)
    expect(tasks.add).type.not.toBeCallableWith({}, console.log, 'a')
    expect(tasks.add).type.not.toBeCallableWith({}, (key: string, copies?: number, task?: Task) => [key, copies, task], 'a')
    expect(tasks.add).type.toBeCallableWith({}, (key: string, copies?: number, task?: Task) => [key, copies, task], 'a', 1)
    expect(tasks.add).type.toBeCallableWith({}, (...args: [string, Task]) => args, 'a')
    tasks.add({}, (...args) => { expect(args).type.toBe<[string, Task]>() }, 'a')
  })

  test('takes no unknown or wrong option, and nothing in place of the function', () => {
    expect(tasks.add).type.not.toBeCallableWith({ timeOut: 1 }, () => {})
    expect(tasks.add).type.not.toBeCallableWith({ timeout: '1' }, () => {})
    expect(tasks.add).type.not.toBeCallableWith({ when: 'never' }, () => {})
    expect(tasks.add).type.not.toBeCallableWith({ requestConcurrency: 1 }, () => {})
    expect(tasks.add).type.not.toBeCallableWith({ retry: {} }, () => {})
    expect(tasks.add).type.not.toBeCallableWith({})
    expect(tasks.add).type.not.toBeCallableWith({ name: 'email' })
    expect(tasks.add).type.not.toBeCallableWith({}, resize('a', 1))
    expect(tasks.add).type.not.toBeCallableWith({ name: 'email' }, user)
    expect(tasks.add).type.not.toBeCallableWith(() => {}, { timeout: 1 })
  })
})

test('waitUntil takes promises, and gives a task of what they resolve to', () => {
  expect(tasks.waitUntil(resize('a', 1))).type.toBe<Task<{ bytes: number }>>()
  expect(tasks.waitUntil(Promise.resolve(1), { name: 'one' })).type.toBe<Task<number>>()
  expect(tasks.waitUntil).type.not.toBeCallableWith(resize)
  expect(tasks.waitUntil).type.not.toBeCallableWith(1)
  expect(tasks.waitUntil).type.not.toBeCallableWith(Promise.resolve(), { timeout: 1 })
})
