import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import type { Test } from 'tap'
import {
  type BackgroundTasksOptions, type NamedTask, type Schema, type SharedTaskOptions, type Task, type TaskSnapshot, defineTask
} from '../../index.js'
import type { AppTasks } from '../../lib/app/app-tasks.js'
import { createApp } from './app.js'
import { nextTurn, turnUntil } from './turns.js'

/** One thread, so that another task has to wait for it or for its successor. */
export const threadOptions = { maxThreads: 1 }

/** An app with `threadOptions`, and others. */
export async function createThreadApp (
  t: Test, { threads, ...options }: BackgroundTasksOptions = {}, serverOptions?: FastifyServerOptions
): Promise<FastifyInstance> {
  return await createApp(t, { threads: { ...threadOptions, ...threads }, ...options }, serverOptions)
}

/** The URL of a file that a thread can run. */
export function fixture (file: string): URL {
  return new URL(`../fixtures/threads/${file}`, import.meta.url)
}

/** A task of that file, named after it. */
export function fileTask (file: string, options: SharedTaskOptions & { result?: Schema } = {}): NamedTask {
  return defineTask({ name: file, payload: {}, file: fixture(file), ...options })
}

/** What a test shares with its threads, given to them as `workerData`. */
export class Slots {
  readonly workerData = new Int32Array(new SharedArrayBuffer(12))

  /** Calls of hold.js and loop.js that have started. */
  get started (): number {
    return Atomics.load(this.workerData, 0)
  }

  /** Resolves when so many calls have started. */
  async untilStarted (calls: number): Promise<void> {
    await turnUntil(() => this.started >= calls)
  }

  /** Lets the calls of hold.js return, also those to come. */
  release (): void {
    Atomics.store(this.workerData, 1, 1)
    Atomics.notify(this.workerData, 1)
  }

  /** How often loop.js has gone round. */
  get loops (): number {
    return Atomics.load(this.workerData, 2)
  }
}

/** The snapshot of a task, wherever it runs, once it has ended. */
export async function finalSnapshot (app: FastifyInstance, id: string): Promise<TaskSnapshot> {
  for (;;) {
    const snapshot = await app.backgroundTasks.get(id)
    if (snapshot?.finishedAt !== undefined) return snapshot
    await nextTurn()
  }
}

/** Calls `onChange` after each change of the task. */
export function watch (app: FastifyInstance, { id }: Task, onChange: () => void): void {
  (app.backgroundTasks as AppTasks).watch(id, onChange)
}
