import { Readable } from 'node:stream'
import { Worker } from 'node:worker_threads'
import type { FastifyReply } from 'fastify'
import t from 'tap'
import backgroundTasks from '../../index.js'
import { createLatch } from '../support/latch.js'
import { overHttp1, overHttp2, portOf } from '../support/transports.js'

// A client in a thread of its own, for it has to see what happens while the server's event loop is blocked.
const clientSource = `
  const { workerData: { protocol, port, flag } } = require('node:worker_threads')
  function onResponse (response) {
    response.resume().on('end', () => {
      Atomics.store(flag, 0, 1)
      Atomics.notify(flag, 0)
    })
  }
  if (protocol === 'HTTP/1') require('node:http').get({ host: '127.0.0.1', port }, onResponse)
  else onResponse(require('node:http2').connect('http://127.0.0.1:' + port).request())
`

const limitMs = 5000

const replies: Record<string, (reply: FastifyReply) => unknown> = {
  'a short reply': () => 'hello',
  'a reply of two megabytes': () => Buffer.alloc(2 * 2 ** 20),
  'a stream': () => Readable.from(['hel', 'lo']),
  'an error': () => { throw new Error('no') },
  'a hijacked reply': (reply) => { reply.hijack().raw.end('hello') }
}

for (const transport of [overHttp1, overHttp2]) {
  for (const [title, send] of Object.entries(replies)) {
    t.test(`over ${transport.name}, the client has all of ${title} while a task blocks the event loop`, async (t) => {
      const flag = new Int32Array(new SharedArrayBuffer(4))
      const app = transport.create()
      t.teardown(() => app.close())
      await app.register(backgroundTasks)
      const blocked = createLatch<string>()
      app.get('/', async (request, reply) => {
        request.backgroundTasks.add(() => { blocked.resolve(Atomics.wait(flag, 0, 0, limitMs)) })
        return send(reply)
      })

      const workerData = { protocol: transport.name, port: await portOf(app), flag }
      const client = new Worker(clientSource, { eval: true, workerData, execArgv: [] })
      t.teardown(() => client.terminate())
      // 'not-equal': the client was even faster than the task.
      t.not(await blocked.promise, 'timed-out')
    })
  }
}
