import { randomUUID } from 'node:crypto'
import type { FastifyBaseLogger } from 'fastify'
import type { Engine, EngineHost, RunControl, RunOutcome, StoredTask, TaskSnapshot } from '../../../types/index.js'
import { isFinal } from '../../base/snapshot.js'

export type Handler = (task: StoredTask, control: RunControl) => RunOutcome | Promise<RunOutcome>

/** The outcome of an attempt that succeeds. */
export const completed: RunOutcome = { state: 'completed' }
/** The error of an attempt that fails. */
export const error = { name: 'Error', message: 'no luck' }

/** An engine at work, with a handler in place of the plugin. */
export class Rig {
  readonly engine: Engine
  readonly runs: Array<{ id: string, attempt: number }> = []

  constructor (engine: Engine) {
    this.engine = engine
  }

  async start (handler: Handler = () => completed, host: Partial<EngineHost> = {}): Promise<void> {
    await this.engine.start({
      log: silent,
      worker: true,
      concurrency: undefined,
      history: 1000,
      run: async (task, control) => {
        this.runs.push({ id: task.id, attempt: control.attempt })
        return await handler(task, control)
      },
      ...host
    })
  }

  /** Resolves to the first snapshot that `isWanted` accepts. */
  async until (id: string, isWanted: (snapshot: TaskSnapshot) => boolean): Promise<TaskSnapshot> {
    const { engine } = this
    return await new Promise((resolve, reject) => {
      const look = (): void => {
        engine.get(id).then((snapshot) => {
          if (snapshot === undefined || !isWanted(snapshot)) return
          end()
          resolve(snapshot)
        }).catch((error) => {
          end()
          reject(error)
        })
      }
      const end = engine.watch(id, look)
      look()
    })
  }

  async end (id: string): Promise<TaskSnapshot> {
    return await this.until(id, ({ state }) => isFinal(state))
  }

  async close (): Promise<void> {
    await this.engine.pause()
    await this.engine.close()
  }
}

const noop = (): void => {}
const silent = {
  level: 'silent', fatal: noop, error: noop, warn: noop, info: noop, debug: noop, trace: noop, silent: noop, child: () => silent
} as unknown as FastifyBaseLogger

/** Makes a task that is not stored yet. */
export function task (more: Partial<StoredTask> = {}): StoredTask {
  return { id: randomUUID(), name: 'conformance', payload: { n: 1 }, createdAt: Date.now(), ...more }
}

/** A promise with the function that resolves it. */
export function latch<Value = void> (): { promise: Promise<Value>, open: (value: Value) => void } {
  let open!: (value: Value) => void
  const promise = new Promise<Value>((resolve) => { open = resolve })
  return { promise, open }
}

/** A check of one promise of the contract. `other` opens another engine on the same store. */
export type Check = (rig: Rig, other: () => Promise<Rig>) => Promise<void>
