import { randomUUID } from 'node:crypto'
import t from 'tap'
import type { Engine, EngineHost, EnginePage, EngineQuery, RunOutcome, StoredTask, TaskSnapshot } from '../../index.js'
import { type ConformanceOptions, engineConformance } from '../../lib/testing.js'
import { type Change, createEngine } from '../support/engine.js'
import { type SharedEngine, SharedStore } from '../support/shared-store.js'
import { nextTurn } from '../support/turns.js'

type Run = EngineHost['run']

/** The engine in memory whose runs go through `change`. */
function withRun (change: (run: Run) => Run): Change {
  return (inner) => ({ start: (host) => inner.start({ ...host, run: change(host.run) }) })
}

/** The engine in memory which is given other tasks than it was asked to store. */
function withAdd (change: (task: StoredTask) => StoredTask): Change {
  return (inner) => ({ add: (tasks) => inner.add(tasks.map(change)) })
}

/** The engine in memory which stores a known task once more, under another id, where `isForgotten`. It gives the known id. */
function forgetful (isForgotten: (known: TaskSnapshot | undefined) => boolean): Change {
  const seen = new Set<string>()
  return (inner) => ({
    async add (tasks) {
      for (const task of tasks) {
        const isKnown = seen.has(task.id) && isForgotten(await inner.get(task.id))
        seen.add(task.id)
        await inner.add([isKnown ? { ...task, id: randomUUID() } : task])
      }
      return tasks.map(({ id }) => id)
    }
  })
}

const withOutcome = (change: (outcome: RunOutcome) => RunOutcome): Change =>
  withRun((run) => async (task, control) => change(await run(task, control)))

const running = 'a stored task runs once as it was stored, and its result is found'
const retrying = 'a delayed outcome is run again, with the next attempt number, and not before its delay'

const listing = 'list gives the tasks of each state as get gives them, with what else is known, and without payloads'
const paging = 'list gives every task once, page by page: finished ones latest first, unfinished ones oldest first'
const scanning = 'list looks at no more tasks than it may, says at how many, and goes on from there'
const payloads = 'payload gives what add got, with request and key, of a task that waits and of one that has ended'
const counting = 'counts tells how many tasks are in each state, cancelled ones with those that have failed'
const retryingFailed = 'a failed task runs again under its id, from attempt 1 and with its payload'

/** The engine in memory whose pages go through `change`. */
function withList (change: (page: EnginePage, query: EngineQuery, inner: Engine) => EnginePage | Promise<EnginePage>): Change {
  return (inner) => ({ list: async (query) => await change(await inner.list!(query), query, inner) })
}

const givingBack = 'a task that is given back runs again, with the same attempt number, and not before its delay'
const error = { name: 'Error', message: 'no luck' }

/** What an engine does wrong, and the case that must find it. */
const mistakes: Array<[mistake: string, change: Change, found: string]> = [
  ['forgets the result', withOutcome(({ state, ...rest }) => state === 'completed' ? { state } : { state, ...rest } as RunOutcome), running],
  ['forgets a result of null', withOutcome((outcome) => outcome.state === 'completed' && outcome.result === null ? { state: 'completed' } : outcome),
    'a result of null is a result, and none is none'],
  ['makes a result of none', withOutcome((outcome) => outcome.state === 'completed' ? { result: null, ...outcome } : outcome),
    'a result of null is a result, and none is none'],
  ['changes the payload', withAdd((task) => ({ ...task, payload: JSON.stringify(task.payload) })), running],
  ['forgets who added the task', withAdd(({ reqId, ...task }) => task), running],
  ['runs a task twice', withRun((run) => async (task, control) => {
    await run(task, control)
    return await run(task, control)
  }), 'a batch is stored whole, and each of its tasks runs'],
  ['gives other ids', (inner) => ({ add: async (tasks) => (await inner.add(tasks)).reverse() }), 'a batch is stored whole, and each of its tasks runs'],
  ['runs tasks in a process that is no worker', (inner) => ({ start: (host) => inner.start({ ...host, worker: true }) }),
    'a process that is no worker stores and runs nothing'],
  ['knows ids that were never stored', (inner) => ({ cancel: async (id, reason) => await inner.cancel(id, reason) || true }),
    'an id that was never stored is unknown'],
  ['shows no code of an error', withOutcome((outcome) => outcome.state === 'failed' ? { state: 'failed', error: { name: 'Error', message: 'no luck' } } : outcome),
    'a failure is final and is shown'],
  ['runs a failed task again', withRun((run) => async (task, control) => {
    const outcome = await run(task, control)
    return outcome.state === 'failed' && control.attempt === 1 ? { ...outcome, state: 'delayed', delay: 0 } : outcome
  }), 'a failure is final and is shown'],
  ['retries at once', withOutcome((outcome) => outcome.state === 'delayed' ? { ...outcome, delay: 0 } : outcome), retrying],
  ['counts every attempt as the first', withRun((run) => {
    const seen = new Set<string>()
    return async ({ id, ...task }, control) => {
      const outcome = await run({ id, ...task }, { ...control, attempt: 1 })
      const isAgain = seen.has(id)
      seen.add(id)
      return isAgain && outcome.state === 'delayed' ? { state: 'completed' } : outcome
    }
  }), retrying],
  ['does not delay', withAdd(({ delay, ...task }) => task), 'a delay holds the first attempt back'],
  ['ignores keys', withAdd(({ key, ...task }) => task), 'while an unfinished task has the key, adding another of its name gives that one'],
  ['keeps one key for all names', withAdd((task) => ({ ...task, name: 'one' })), 'while an unfinished task has the key, adding another of its name gives that one'],
  ['ignores priorities', withAdd(({ priority, ...task }) => task), 'lower priority values start first'],
  ['runs higher priority values first', withAdd((task) => ({ ...task, priority: 10 - (task.priority ?? 0) })), 'lower priority values start first'],
  ['ignores the concurrency', (inner) => ({ start: (host) => inner.start({ ...host, concurrency: undefined }) }),
    'no more tasks than the concurrency run at once'],
  ['says that a cancel had no effect', (inner) => ({
    async cancel (id, reason) {
      await inner.cancel(id, reason)
      return false
    }
  }), 'a cancelled task that waits never runs'],
  ['keeps the key of a cancelled task', (inner) => {
    const stored = new Map<string, StoredTask>()
    return {
      add (tasks) {
        for (const task of tasks) stored.set(task.id, task)
        return inner.add(tasks)
      },
      async cancel (id, reason) {
        const isCancelled = await inner.cancel(id, reason)
        await inner.add([{ ...stored.get(id)!, id: randomUUID(), delay: 60_000 }])
        return isCancelled
      }
    }
  }, 'a task cancelled before it runs frees its key at once'],
  ['forgets why it cancels', (inner) => ({ cancel: (id) => inner.cancel(id) }), 'cancelling an active task aborts its signal with the reason'],
  ['stores half a batch', (inner) => ({
    async add (tasks) {
      const ids: string[] = []
      for (const task of tasks) {
        JSON.stringify(task)
        ids.push(...await inner.add([task]))
      }
      return ids
    }
  }), 'a batch is not stored in part'],
  ['forgets keys within a batch', (inner) => ({
    add: (tasks) => inner.add(tasks.map(({ key, ...task }, index) => index === 0 && key !== undefined ? { ...task, key } : task))
  }), 'of a batch with one key twice the first task has it'],
  ['runs a known id again', forgetful(() => true), 'a task whose id is known changes nothing'],
  ['forgets an id when its task has ended', forgetful((snapshot) => snapshot?.finishedAt !== undefined), 'a task whose id is known changes nothing'],
  ['stores both tasks of a batch with one id', forgetful(() => true),
    'of a batch with one id twice the first task is stored'],
  ['has a known id take its key', (inner) => ({
    async add (tasks) {
      const ids = await inner.add(tasks)
      for (const { id, name, key } of tasks) {
        const known = await inner.get(id)
        if (key !== undefined && known?.finishedAt !== undefined) await inner.add([{ id: randomUUID(), name, key, payload: {}, createdAt: 0, delay: 60_000 }])
      }
      return ids
    }
  }), 'a task whose id is known takes no key'],
  ['ends what is given back', withOutcome((outcome) => outcome.state === 'interrupted' ? { state: 'cancelled', error } : outcome), givingBack],
  ['counts an attempt that is given back', withOutcome((outcome) => outcome.state === 'interrupted' ? { state: 'delayed', error, delay: 50 } : outcome),
    givingBack],
  ['runs at once what is given back', withOutcome((outcome) => outcome.state === 'interrupted' ? { ...outcome, delay: 0 } : outcome), givingBack],
  ['cancels no retry', (inner) => ({
    cancel: async (id, reason) => (await inner.get(id))?.state !== 'delayed' && await inner.cancel(id, reason)
  }), 'a task cancelled before its retry does not run again'],
  ['runs a cancelled task again', (inner) => ({
    start: (host) => inner.start({
      ...host,
      run: async (task, control) => control.attempt === 1 ? await host.run(task, control) : { state: 'completed' }
    }),
    cancel: async (id, reason) => (await inner.get(id))?.state === 'active' || await inner.cancel(id, reason)
  }), 'a task cancelled in an attempt that fails does not run again'],
  ['finds no task by its key', () => ({ findLocal: () => undefined }), 'findLocal gives the unfinished task that has the key'],
  ['never tells that a delay is over', (inner) => ({
    start: ({ due, ...host }) => inner.start(host)
  }), 'the host is told that a delay is over although nothing can start'],
  ['ignores the history', (inner) => ({ start: (host) => inner.start({ ...host, history: 1000 }) }),
    'no more finished tasks are kept than the history says'],
  ['lists tasks of other states', withList((page, { limit, ...query }, inner) =>
    inner.list!({ ...query, limit, state: query.state === 'waiting' ? 'delayed' : query.state })), listing],
  ['lists payloads', withList((page) => ({ ...page, tasks: page.tasks.map((task) => ({ ...task, payload: 1 })) })), listing],
  ['does not say who added a listed task', withList((page) => ({ ...page, tasks: page.tasks.map(({ reqId, ...task }) => task) })), listing],
  ['does not list keys', withList((page) => ({ ...page, tasks: page.tasks.map(({ key, ...task }) => task) })), listing],
  ['does not say when a delayed task is due', withList((page) => ({ ...page, tasks: page.tasks.map(({ nextRunAt, ...task }) => task) })), listing],
  ['ignores the name', (inner) => ({ list: ({ name, ...query }) => inner.list!(query) }), scanning],
  ['lists the last tasks first', withList((page) => ({ ...page, tasks: page.tasks.reverse() })), paging],
  ['ignores the cursor', (inner) => {
    let calls = 0
    return {
      async list ({ cursor, ...query }) {
        const page = await inner.list!(query)
        return calls++ < 5 ? page : { tasks: page.tasks, scanned: page.scanned }
      }
    }
  }, paging],
  ['forgets the cursor', withList(({ cursor, ...page }) => page), paging],
  ['ignores the limit', (inner) => ({ list: (query) => inner.list!({ ...query, limit: 200 }) }), paging],
  ['looks at all tasks', (inner) => ({ list: ({ scan, ...query }) => inner.list!(query) }), scanning],
  ['does not say at how many tasks it has looked', withList((page) => ({ ...page, scanned: 0 })), scanning],
  ['takes any cursor', (inner) => ({ list: (query) => inner.list!(query).catch(() => ({ tasks: [], scanned: 0 })) }),
    'list refuses a cursor that is none of its own'],
  ['does not count cancelled tasks', (inner) => ({
    counts: async () => ({ ...await inner.counts!(), failed: (await inner.list!({ state: 'failed', limit: 200 })).tasks.length })
  }), counting],
  ['gives a payload as text', (inner) => ({
    async payload (id) {
      const found = await inner.payload!(id)
      return found && { ...found, payload: JSON.stringify(found.payload) }
    }
  }), payloads],
  ['gives a payload without its key', (inner) => ({
    async payload (id) {
      const { key, ...found } = await inner.payload!(id) ?? { payload: 1 }
      return found
    }
  }), payloads],
  ['counts too many waiting tasks', (inner) => ({ counts: async () => ({ ...await inner.counts!(), waiting: 9 }) }), counting],
  ['goes on telling', (inner) => ({
    watchAll (onChange) {
      inner.watchAll!(onChange)
      return () => {}
    }
  }), 'watchAll tells of changes of any task until it is ended'],
  ['runs no task again', () => ({ retry: async () => false }), retryingFailed],
  ['says that no task runs again', (inner) => ({ retry: async (id) => await inner.retry!(id) && false }), retryingFailed],
  ['runs a task again under another id', (inner) => {
    const stored = new Map<string, StoredTask>()
    return {
      add (tasks) {
        for (const task of tasks) stored.set(task.id, task)
        return inner.add(tasks)
      },
      async retry (id) {
        await inner.add([{ ...stored.get(id)!, id: randomUUID() }])
        return true
      }
    }
  }, 'a task that is run again waits as a new one does'],
  ['counts on from the last attempt', withRun((run) => {
    const attempts = new Map<string, number>()
    return (task, control) => {
      const attempt = (attempts.get(task.id) ?? 0) + 1
      attempts.set(task.id, attempt)
      return run(task, { ...control, attempt })
    }
  }), retryingFailed],
  ['runs no cancelled task again', (inner) => ({
    retry: async (id) => (await inner.get(id))?.state === 'failed' && await inner.retry!(id)
  }), 'a cancelled task runs again, whether it had started or not, and completes'],
  ['says that a completed task runs again', (inner) => ({
    retry: async (id) => await inner.retry!(id) || (await inner.get(id))?.state === 'completed'
  }), 'a task that has not ended, has completed or is unknown does not run again'],
  ['runs a task again twice', (inner) => ({
    retry: async (id) => await inner.retry!(id) || (await inner.get(id))?.attempt === 1
  }), 'of two retries at once one has an effect'],
  ['runs a task again whose key is taken', withAdd(({ key, ...task }) => task), 'a task that runs again takes its key, unless an unfinished task has it'],
  ['loses a task whose key is taken', (inner) => ({ retry: async (id) => await inner.retry!(id) || true }),
    'of a retry and an add with its key at once one wins'],
  ['says that it has cancelled what is run again', (inner) => ({ cancel: async (id) => (await inner.cancel(id)) || (await inner.get(id)) !== undefined }),
    'a task that is cancelled about when it runs again does not complete if the cancellation had an effect'],
  ['cancels what has ended', (inner) => ({ cancel: async (id) => (await inner.cancel(id)) || (await inner.get(id)) !== undefined }),
    'a task that has ended cannot be cancelled']
]

for (const [mistake, change, found] of mistakes) {
  t.test(`the conformance suite finds an engine that ${mistake}`, async (t) => {
    const check = engineConformance(() => createEngine(change), { local: true }).find(({ name }) => name === found)
    t.ok(check, found)
    await t.rejects(check!.run(), { code: 'ERR_ASSERTION' })
  })
}

/** Engines on one store, each changed; `others` are those opened before. */
type SharedChange = (inner: SharedEngine, others: SharedEngine[]) => Partial<Engine>

/** What engines on one store do wrong, and the case that must find it. */
const sharedMistakes: Array<[mistake: string, change: SharedChange, found: string]> = [
  ['run a task in two workers', (() => {
    const runs: Run[] = []
    return (inner) => ({
      start (host) {
        if (host.worker) runs.push(host.run)
        const run: Run = async (task, control) => (await Promise.all(runs.map((run) => run(task, control))))[0]!
        inner.start({ ...host, run })
      }
    })
  })(), 'of two workers only one runs a task'],
  ['forget keys between processes', (inner, others) => ({
    add: (tasks) => inner.add(tasks.map(({ key, ...task }) => key === undefined ? task : { ...task, key: `${key}-${others.length}` }))
  }), 'a key is taken for all processes'],
  ['both say that they have a task run again', () => ({ retry: async () => true }), 'of two processes that have a task run again at once one has an effect'],
  ['start tasks after pause', () => ({ pause () {} }), 'a worker that has paused starts no task'],
  ['give up what a dead process ran', () => ({}), 'a task whose process has died runs again elsewhere']
]

for (const [mistake, change, found] of sharedMistakes) {
  t.test(`the conformance suite finds engines that ${mistake}`, async (t) => {
    const store = new SharedStore()
    const engines: SharedEngine[] = []
    const create = (): Engine => {
      const inner = store.createEngine()
      const changes = change(inner, [...engines])
      engines.push(inner)
      const { start, add, pause, ...more } = {
        start: (host: EngineHost) => inner.start(host),
        add: (tasks: StoredTask[]) => inner.add(tasks),
        pause: () => inner.pause(),
        ...changes
      }
      return {
        ...more,
        start,
        add,
        pause,
        get: (id) => inner.get(id),
        cancel: (id, reason) => inner.cancel(id, reason),
        watch: (id, onChange) => inner.watch(id, onChange),
        close: () => inner.close()
      }
    }
    const crash = (): void => { for (const entry of store.entries.values()) store.finish(entry, 'failed') }
    const check = engineConformance(create, { shared: true, crash }).find(({ name }) => name === found)
    t.ok(check, found)
    await t.rejects(check!.run(), { code: 'ERR_ASSERTION' })
  })
}

t.test('the conformance suite closes every engine that it opens, also when a case fails', async (t) => {
  let open = 0
  const create = (): Engine => {
    open++
    return createEngine((inner) => ({
      add: () => Promise.reject(new Error('no store')),
      async close () {
        open--
        await inner.close()
      }
    }))
  }
  for (const { run } of engineConformance(create).slice(0, 3)) await t.rejects(run())
  t.equal(open, 0)
})

t.test('a case whose look at a task fails, fails with the error of the engine', async (t) => {
  const [first] = engineConformance(() => createEngine(() => ({ get: () => Promise.reject(new Error('no store')) })))
  await t.rejects(first!.run(), { message: 'no store' })
})

t.test('the cases of a shared store, of a local engine and of a crash come only when asked for', async (t) => {
  const { createEngine } = new SharedStore()
  const namesOf = (options?: ConformanceOptions): string[] => engineConformance(createEngine, options).map(({ name }) => name)
  const own = namesOf()
  const more = [namesOf({ local: true }), namesOf({ shared: true }), namesOf({ shared: true, crash () {} })]
  for (const names of more) {
    t.same(names.slice(0, own.length), own)
    t.equal(new Set(names).size, names.length)
  }
  t.same(more.map(({ length }) => length - own.length), [3, 7, 8])
  t.same(namesOf({ crash () {} }), own)
})

t.test('a factory of engines may be async', async (t) => {
  const [first] = engineConformance(async () => {
    await nextTurn()
    return createEngine()
  })
  await t.resolves(first!.run())
})

t.test('an engine may log what it likes', async (t) => {
  const [first] = engineConformance(() => createEngine((inner) => ({
    async start (host) {
      host.log.child({ store: 'memory' }).info('open')
      await inner.start(host)
    }
  })))
  await t.resolves(first!.run())
})
