import fastify from 'fastify'
import { answer, listen, reach, spec } from './control.js'
import { prepareWay } from './ways.js'

let finished = 0

function blockingTask (ms) {
  const end = performance.now() + ms
  while (performance.now() < end);
  finished++
}

const app = fastify()
const add = await prepareWay(app, spec)

app.get('/', (request, reply) => {
  reply.send({ hello: 'world' })
})

app.get('/burst', (request, reply) => {
  for (let i = 0; i < spec.tasks; i++) add(request, blockingTask, spec.blockMs)
  reply.send({ hello: 'world' })
})

answer({
  async settled (bursts) {
    await reach(() => finished, bursts * spec.tasks)
  },
  exit () {
    setImmediate(() => process.exit())
  }
})
await listen(app)
