import { once } from 'node:events'
import http2 from 'node:http2'
import t from 'tap'
import backgroundTasks from '../../index.js'
import { Probe, actualRuns, expectedRuns } from '../support/probe.js'
import { RawClient } from '../support/raw-client.js'
import { overHttp1, overHttp2, portOf } from '../support/transports.js'

for (const transport of [overHttp1, overHttp2]) {
  t.test(`over ${transport.name}, tasks run after a reply that leaves before the body has come`, async (t) => {
    const probe = new Probe()
    const app = transport.create()
    t.teardown(() => app.close())
    await app.register(backgroundTasks)
    // Reads the beginning of the body and waits for no more.
    app.addContentTypeParser('application/octet-stream', (_request, payload, done) => {
      payload.once('data', (chunk: Buffer) => { done(null, String(chunk)) })
    })
    app.post('/', async (request, reply) => {
      probe.watch(request, reply)
      probe.add(request)
      return request.body
    })

    const headers = { 'content-type': 'application/octet-stream' }
    if (transport === overHttp1) {
      const client = await RawClient.connect(app)
      client.send('POST', '/', { ...headers, 'content-length': 10 }, 'hello')
      await client.receive('\r\n\r\nhello')
    } else {
      const session = http2.connect(`http://127.0.0.1:${await portOf(app)}`)
      t.teardown(() => { session.destroy() })
      const stream = session.request({ ':method': 'POST', ...headers }, { endStream: false })
      stream.write('hello')
      await once(stream.resume(), 'end')
      // Node.js tells a server that a response is over when its stream is, and the client's side is still open.
      stream.end()
    }
    await probe.settled(app)
    t.same(actualRuns(probe), expectedRuns({ outcome: 'sent', statusCode: 200 }))
    t.ok(probe.runs.every(({ delay }) => delay <= 100), 'soon after the reply')
  })
}
