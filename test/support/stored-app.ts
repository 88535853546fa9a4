import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { type BackgroundTasksOptions, type HandlerTaskDefinition, type NamedTask, type Task, defineTask } from '../../index.js'
import { createApp } from './app.js'
import { type TestEngine, createEngine } from './engine.js'
import { type Log, createLog } from './log.js'
import { nextTurn } from './turns.js'

export type Handler = (payload: any, task: Task) => unknown

/** A named task that takes any payload. */
export function named (handler: Handler, more: Partial<HandlerTaskDefinition> = {}): NamedTask {
  return defineTask({ name: 'work', payload: {}, handler, ...more })
}

export interface StoredApp {
  app: FastifyInstance
  engine: TestEngine
  log: Log
  work: NamedTask
}

/** An app with one registered task. Not ready yet, so that a test may add routes. */
export async function createStoredApp (
  t: Test, handler: Handler, more: Partial<HandlerTaskDefinition> = {}, options: BackgroundTasksOptions = {}
): Promise<StoredApp> {
  const log = createLog()
  const engine = createEngine()
  const work = named(handler, more)
  const app = await createApp(t, { engine, tasks: [work], ...options }, { logger: log.logger })
  return { app, engine, log, work }
}

/** The engine says of the task what the task says of itself. */
export async function agree (t: Test, engine: TestEngine, task: Task, expected: object): Promise<void> {
  await nextTurn()
  t.match(task.toJSON(), expected)
  t.match(await engine.get(task.id), expected, `the engine agrees on ${task.state}`)
}
