import { once } from 'node:events'
import t from 'tap'
import backgroundTasks from '../../index.js'
import { Probe, actualRuns, expectedRuns } from '../support/probe.js'
import { RawClient } from '../support/raw-client.js'
import { overHttp1 } from '../support/transports.js'

const bodyBytes = 30 * 2 ** 20

// Fastify calls onResponse at an `error` of the response too, and one that does not end it comes from a write after end.
t.test('an error event in the middle of a reply that then gets out does not start tasks early', async (t) => {
  const probe = new Probe()
  const app = overHttp1.create()
  t.teardown(() => app.close())
  await app.register(backgroundTasks)
  app.get('/', (request, reply) => {
    probe.watch(request, reply)
    probe.add(request)
    reply.hijack()
    reply.raw.end(Buffer.alloc(bodyBytes))
    reply.raw.write('one more')
    reply.raw.once('error', () => { client.socket.resume() })
  })
  const client = await RawClient.connect(app)
  client.socket.pause()
  client.send('GET', '/', { connection: 'close' })
  await once(client.socket, 'end')
  t.ok(client.received.length > bodyBytes, 'the client has the whole reply')
  await probe.settled(app)
  await app.close()
  t.same(actualRuns(probe), expectedRuns({ outcome: 'sent', statusCode: 200 }))
})
