import fastify from 'fastify'
import { answer, listen, reach, spec } from './control.js'
import cpuWork from './cpu-work.js'

const { default: backgroundTasks, defineTask } = await import(spec.pluginUrl)
const file = new URL('./cpu-work.js', import.meta.url)
const work = defineTask({ name: 'work', payload: {}, ...(spec.inThreads ? { file } : { handler: cpuWork }) })

const app = fastify()
await app.register(backgroundTasks)

app.get('/', (request, reply) => {
  reply.send({ hello: 'world' })
})

app.get('/work', (request, reply) => {
  request.backgroundTasks.add(work, { ms: spec.busyMs })
  reply.send({ hello: 'world' })
})

answer({
  async settled (tasks) {
    await reach(() => app.backgroundTasks.stats().completed, tasks)
  },
  exit () {
    setImmediate(() => process.exit())
  }
})
await listen(app)
