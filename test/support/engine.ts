import type { Engine, StoredTask } from '../../index.js'
import { memoryEngine } from '../../lib/engines/memory/memory-engine.js'
import { createLatch } from './latch.js'
import { nextTurn } from './turns.js'

/** An engine that notes what it is given to store. */
export interface TestEngine extends Engine {
  /** What `add` was called with, call by call. */
  readonly batches: StoredTask[][]
}

/** Methods that take the place of those of the engine in memory, which they may use. */
export type Change = (inner: Engine) => Partial<Engine>

/** The engine in memory, some of its methods replaced. */
export function createEngine (change: Change = () => ({})): TestEngine {
  const inner = memoryEngine()
  const batches: StoredTask[][] = []
  const own: Engine = {
    findLocal: (name, key) => inner.findLocal?.(name, key),
    start: (host) => inner.start(host),
    add: (tasks, options) => inner.add(tasks, options),
    get: (id) => inner.get(id),
    cancel: (id, reason) => inner.cancel(id, reason),
    watch: (id, onChange) => inner.watch(id, onChange),
    list: (query) => inner.list!(query),
    counts: () => inner.counts!(),
    payload: (id) => inner.payload!(id),
    retry: (id) => inner.retry!(id),
    watchAll: (onChange) => inner.watchAll!(onChange),
    pause: () => inner.pause(),
    close: () => inner.close(),
    ...change(inner)
  }
  return {
    ...own,
    batches,
    add (tasks, options) {
      batches.push(tasks)
      return own.add(tasks, options)
    }
  }
}

/**
 * As `createEngine`, but it does not say that its tasks stay in this process: the tasks that `add` returns are receipts.
 * What it has stored is run a turn later.
 */
export function createDistantEngine (change: Change = () => ({})): TestEngine {
  const { findLocal, ...engine } = createEngine((inner) => ({
    start: (host) => inner.start({
      ...host,
      async run (task, control) {
        await nextTurn()
        return await host.run(task, control)
      }
    }),
    ...change(inner)
  }))
  return engine
}

/** The names of the tasks in each batch. */
export function namesOf ({ batches }: TestEngine): string[][] {
  return batches.map((batch) => batch.map(({ name }) => name))
}

/** An engine whose `add` waits until it is told to go on. */
export function createHeldEngine (create = createEngine): { engine: TestEngine, asked: Promise<void>, release: () => void } {
  const asked = createLatch()
  const held = createLatch()
  const engine = create((inner) => ({
    async add (tasks) {
      asked.resolve()
      await held.promise
      return await inner.add(tasks)
    }
  }))
  return { engine, asked: asked.promise, release: held.resolve }
}
