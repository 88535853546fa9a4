import t, { type Test } from 'tap'
import { type NamedTaskOptions, type SharedTaskOptions, type StoredTask, type Task, type TaskDefinition, defineTask } from '../../index.js'
import { type TaskJob, toJob, toStored } from '../../lib/engines/bullmq/jobs.js'
import { RETRY_RULES } from '../../lib/options/retry-options.js'
import { NAMED_RULES, SHARED_RULES } from '../../lib/options/task-options.js'
import type { BackgroundTask } from '../../lib/task/task.js'
import { createApp } from '../support/app.js'
import { createDistantEngine } from '../support/engine.js'

// Options are copied by hand, for speed. An option that is new needs a sample here, and the tests then find each copy that it misses.

const retryIf = (): boolean => true
const retry = { retries: 3, delay: 7, factor: 3, maxDelay: 50, jitter: false, retryIf }
const shared: Required<SharedTaskOptions> = { when: 'success', timeout: 1234, retry }
const call: Required<NamedTaskOptions> = { ...shared, delay: 5, key: 'a key', priority: 5 }

/** What an engine keeps of them: `when` is judged before, and a function cannot be stored. */
const stored: Partial<StoredTask> = {
  timeout: 1234,
  retry: { retries: 3, delay: 7, factor: 3, maxDelay: 50, jitter: false, conditional: true },
  delay: 5,
  key: 'a key',
  priority: 5
}

/** Gives the options with which a task runs that was added by `add` in a route, on an engine or not, and what the engine kept. */
async function run (
  t: Test, given: { plugin?: object, route?: object, definition?: Partial<TaskDefinition>, call?: object }, isRegistered: boolean
): Promise<{ options: object, batch: StoredTask[] | undefined }> {
  const engine = createDistantEngine()
  let ran!: (task: Task) => void
  const running = new Promise<Task>((resolve) => { ran = resolve })
  const work = defineTask({ name: 'work', payload: {}, handler: (payload, task) => { ran(task) }, ...given.definition } as TaskDefinition)
  const app = await createApp(t, { engine, ...given.plugin, tasks: isRegistered ? [work] : [] })
  app.get('/', { config: { backgroundTasks: given.route ?? {} } }, async (request) => {
    request.backgroundTasks.add(work, {}, given.call ?? {})
    return 'ok'
  })
  await app.inject('/')
  const { options } = await running as BackgroundTask
  await app.backgroundTasks.idle()
  return { options, batch: engine.batches[0] }
}

t.test('there is a sample of each option', async (t) => {
  t.same(Object.keys(shared).sort(), Object.keys(SHARED_RULES).sort())
  t.same(Object.keys(retry).sort(), Object.keys(RETRY_RULES).sort())
  t.same(Object.keys(call).sort(), Object.keys(NAMED_RULES).sort())
})

for (const layer of ['plugin', 'route', 'definition', 'call']) {
  t.test(`each shared option of the ${layer} reaches a task that no engine keeps`, async (t) => {
    t.match((await run(t, { [layer]: shared }, false)).options, shared)
  })
}

t.test('each option of a call reaches the engine, and the attempt in a worker', async (t) => {
  const { options, batch } = await run(t, { call, definition: { retry } }, true)
  const [{ id, name, payload, createdAt, reqId, ...kept }] = batch as [StoredTask]
  t.same(kept, stored)
  t.match(options, { timeout: 1234, retry: { ...stored.retry, retryIf } })
})

t.test('each option of a stored task is in its BullMQ job', async (t) => {
  const task: Required<StoredTask> =
    { id: '7f7a8a10-18d0-4cff-8e82-2bf128d80538', name: 'work', payload: {}, createdAt: 1, reqId: 'req-1', trace: {}, ...stored } as Required<StoredTask>
  const { name, data, opts } = toJob(task, 1000)
  const { timestamp, jobId: id } = opts
  t.same(toStored(JSON.parse(JSON.stringify({ id, name, data, opts, timestamp })) as TaskJob), task)
})
