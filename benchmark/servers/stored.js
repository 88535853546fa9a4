import fastify from 'fastify'
import { devNull } from 'node:os'
import { randomUUID } from 'node:crypto'
import { Ajv } from 'ajv'
import { Queue, Worker } from 'bullmq'
import { answer, listen, reach, spec } from './control.js'

// Plain JavaScript, so that the process measured runs what node runs in production and no transform of ours.

const { way, role, tasks, concurrency = 10, connection, queue: name, pluginUrl, engineUrl } = spec
const payload = { to: 'ann@example.com', template: 'welcome' }
const schema = {
  type: 'object', properties: { to: { type: 'string' }, template: { type: 'string' } }, required: ['to', 'template']
}

let finished = 0
let startedAt = 0
/** The tasks that `drain` waits for, and what they have taken so far. */
let drained
let durationMs = 0

function cpuMicros () {
  const { user, system } = process.cpuUsage()
  return user + system
}

function work () {
  startedAt = performance.timeOrigin + performance.now()
  finished++
  if (drained === undefined) return
  if (drained.startedAt === undefined) Object.assign(drained, { startedAt, micros: cpuMicros() })
  if (finished === drained.expected) drained.resolve({ durationMs: startedAt - drained.startedAt, micros: cpuMicros() - drained.micros })
}

// A connection is idle while the other servers are measured.
const app = fastify({ logger: { level: 'info', file: devNull }, keepAliveTimeout: 600_000 })

const STORE_TIMEOUT_MS = 2000

/** Rejects when BullMQ, which waits for Redis as long as it takes, does not answer in time. */
async function inTime (promise) {
  let timer
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => { reject(Object.assign(new Error('the queue does not answer'), { statusCode: 503 })) }, STORE_TIMEOUT_MS)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * What a careful user writes in the handler: a valid payload, an id, retries with a backoff, finished jobs removed after a
 * day. `guarded` adds what the plugin promises besides: an answer in time, and the request's id for the worker's log.
 */
function byHand () {
  const removeOnComplete = { age: 86_400 }
  if (role === 'worker') {
    return new Worker(name, async () => { work() }, { connection: { ...connection, maxRetriesPerRequest: null }, concurrency })
  }
  const queue = new Queue(name, { connection })
  const validate = new Ajv().compile(schema)
  const options = () => {
    if (!validate(payload)) throw new Error('invalid')
    return { jobId: randomUUID(), attempts: 4, backoff: { type: 'exponential', delay: 1000 }, removeOnComplete, removeOnFail: removeOnComplete }
  }
  const bulk = (data) => queue.addBulk(Array.from({ length: tasks }, () => ({ name: 'mail', data, opts: options() })))
  app.get('/', async (request) => {
    if (way === 'guarded') {
      const data = { payload, reqId: request.id }
      await inTime(tasks === 1 ? queue.add('mail', data, options()) : bulk(data))
    } else if (way === 'bulk') await bulk(payload)
    else for (let i = 0; i < tasks; i++) await queue.add('mail', payload, options())
    return { ok: true }
  })
}

async function byPlugin () {
  const { default: backgroundTasks, defineTask } = await import(pluginUrl)
  const { bullmqEngine } = await import(engineUrl)
  const mail = defineTask({ name: 'mail', payload: schema, retry: 3, handler: async () => { work() } })
  const engine = bullmqEngine({ connection, queue: name, concurrency })
  await app.register(backgroundTasks, { tasks: [mail], engine, worker: role === 'worker' })
  app.get('/', async (request) => {
    for (let i = 0; i < tasks; i++) request.backgroundTasks.add(mail, payload)
    return { ok: true }
  })
}

if (way === 'plugin') await byPlugin()
else byHand()

answer({
  cpuMicros,
  /** Microseconds of CPU from the start of the next task to that of the last one expected. */
  async drain (expected) {
    const figures = await new Promise((resolve) => { drained = { expected, resolve } })
    drained = undefined
    durationMs = figures.durationMs
    return figures.micros
  },
  drainedIn: () => durationMs,
  async finished (expected) {
    await reach(() => finished, expected)
    return startedAt
  },
  exit () {
    setImmediate(() => process.exit())
  }
})
await listen(app)
