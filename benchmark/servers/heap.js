import fastify from 'fastify'
import { devNull } from 'node:os'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { answer, listen, reach, spec } from './control.js'
import { prepareWay } from './ways.js'

const SLEEP_MS = 3_600_000

const held = []
let started = 0
let letGo

const latch = new Promise(resolve => { letGo = resolve })

function trivialTask (step) {
  started += step
}

// Captures nothing of the request: what stays on the heap is what the way of running tasks keeps.
function sleepingTask (step) {
  started += step
  return new Promise(resolve => setTimeout(resolve, SLEEP_MS))
}

const app = fastify({ logger: spec.logger ? { level: 'info', file: devNull } : false })
const add = await prepareWay(app, spec)

app.get('/sleep', (request, reply) => {
  add(request, sleepingTask, 1)
  reply.send({ hello: 'world' })
})

app.get('/hold', async request => {
  held.push(request)
  await latch
  return { hello: 'world' }
})

answer({
  async heapUsed (expectedTasks) {
    await reach(() => started, expectedTasks)
    for (let i = 0; i < 4; i++) {
      await nextTurn()
      globalThis.gc()
    }
    return process.memoryUsage().heapUsed
  },
  async hold (requests) {
    for (let i = 0; i < requests; i++) app.inject('/hold').catch(error => { throw error })
    while (held.length < requests) await nextTurn()
  },
  addToEach (tasks) {
    for (const request of held) {
      for (let i = 0; i < tasks; i++) add(request, trivialTask, 1)
    }
  },
  release: letGo,
  exit () {
    setImmediate(() => process.exit())
  }
})
await listen(app)
