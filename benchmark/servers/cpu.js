import fastify from 'fastify'
import { devNull } from 'node:os'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { answer, listen, reach, spec } from './control.js'
import { prepareWay } from './ways.js'

let finished = 0

function trivialTask (step) {
  finished += step
}

function waitingTask (step) {
  return new Promise(resolve => setTimeout(resolve, spec.waitMs)).then(() => { finished += step })
}

const app = fastify({ logger: spec.logger ? { level: 'info', file: devNull } : false })
const add = await prepareWay(app, spec)
const task = spec.waitMs > 0 ? waitingTask : trivialTask

const handlers = {
  none (request, reply) {
    reply.send({ hello: 'world' })
  },
  one (request, reply) {
    add(request, task, 1)
    reply.send({ hello: 'world' })
  },
  many (request, reply) {
    for (let i = 0; i < spec.tasks; i++) add(request, task, 1)
    reply.send({ hello: 'world' })
  }
}
const handler = spec.tasks === 0 ? handlers.none : spec.tasks === 1 ? handlers.one : handlers.many

const schema = { response: { 200: { type: 'object', properties: { hello: { type: 'string' } } } } }
app.get('/', { schema }, handler)

answer({
  async heapMegabytes (requests) {
    await reach(() => finished, requests * spec.tasks)
    for (let i = 0; i < 4; i++) {
      await nextTurn()
      globalThis.gc()
    }
    return process.memoryUsage().heapUsed / 2 ** 20
  },
  async cpuMicros (requests) {
    await reach(() => finished, requests * spec.tasks)
    const { user, system } = process.cpuUsage()
    return user + system
  },
  exit () {
    // Not a kill: --cpu-prof writes its file only when the process ends by itself.
    setImmediate(() => process.exit())
  }
})
await listen(app)
