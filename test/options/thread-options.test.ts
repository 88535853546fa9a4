import { SHARE_ENV } from 'node:worker_threads'
import Fastify from 'fastify'
import t from 'tap'
import backgroundTasks, { type ThreadOptions } from '../../index.js'

async function register (threads: ThreadOptions): Promise<void> {
  const app = Fastify()
  try {
    await app.register(backgroundTasks, { threads })
  } finally {
    await app.close()
  }
}

const wrong: Array<[threads: ThreadOptions, message: string]> = [
  [{ maxThread: 2 }, 'unknown option "threads.maxThread", received 2'],
  [{ filename: '/other.js' }, 'unknown option "threads.filename", received "/other.js"'],
  [{ name: 'other' }, 'unknown option "threads.name", received "other"'],
  [{ maxThreads: 0 }, 'option "threads.maxThreads" must be an integer >= 1, received 0'],
  [{ maxThreads: 1.5 }, 'option "threads.maxThreads" must be an integer >= 1, received 1.5'],
  [{ maxThreads: '4' as unknown as number }, 'option "threads.maxThreads" must be an integer >= 1, received "4"'],
  [{ minThreads: -1 }, 'option "threads.minThreads" must be an integer >= 0, received -1'],
  [{ minThreads: 3, maxThreads: 2 }, 'option "threads.minThreads" must be at most "threads.maxThreads", which is 2, received 3'],
  [{ idleTimeout: -1 }, 'option "threads.idleTimeout" must be a number >= 0, received -1'],
  [{ maxQueue: 'all' }, "option \"threads.maxQueue\" must be an integer >= 0 or 'auto', received \"all\""],
  [{ concurrentTasksPerWorker: 0 }, 'option "threads.concurrentTasksPerWorker" must be 1, received 0'],
  [{ concurrentTasksPerWorker: 2 }, 'option "threads.concurrentTasksPerWorker" must be 1, received 2'],
  [{ atomics: 'none' }, "option \"threads.atomics\" must be one of 'sync', 'async', 'disabled', received \"none\""],
  [{ resourceLimits: 256 as unknown as object }, 'option "threads.resourceLimits" must be an object, received 256'],
  [{ argv: '--x' }, 'option "threads.argv" must be an array of strings, received "--x"'],
  [{ execArgv: [1] }, 'option "threads.execArgv" must be an array of strings, received an array'],
  [{ env: 'production' }, 'option "threads.env" must be an object or a symbol, received "production"'],
  [{ niceIncrement: '1' }, `option "threads.niceIncrement" must be an integer >= ${Number.MIN_SAFE_INTEGER}, received "1"`],
  [{ trackUnmanagedFds: 1 }, 'option "threads.trackUnmanagedFds" must be true or false, received 1'],
  [{ closeTimeout: -1 }, 'option "threads.closeTimeout" must be a number >= 0, received -1'],
  [{ loadBalancer: {} }, 'option "threads.loadBalancer" must be a function, received an object of type Object']
]

for (const [threads, message] of wrong) {
  t.test(`the plugin refuses threads when it is registered: ${message}`, async (t) => {
    await t.rejects(register(threads), { code: 'FST_BGT_INVALID_OPTIONS', message })
  })
}

t.test('every option of piscina is taken, and one that is undefined counts as absent', async (t) => {
  for (const threads of [
    {
      minThreads: 0,
      maxThreads: 2,
      idleTimeout: Infinity,
      maxQueue: 'auto',
      concurrentTasksPerWorker: 1,
      atomics: 'sync',
      resourceLimits: {},
      argv: [],
      execArgv: ['--no-warnings'],
      env: { A: '1' },
      workerData: 5,
      taskQueue: {},
      niceIncrement: 1,
      trackUnmanagedFds: true,
      closeTimeout: 0,
      recordTiming: false,
      stricterFIFO: true,
      loadBalancer: () => null,
      workerHistogram: false
    },
    { env: SHARE_ENV, maxQueue: 0, minThreads: 2, maxThreads: undefined as unknown as number }
  ]) await t.resolves(register(threads))
})
