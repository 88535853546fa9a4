import http2 from 'node:http2'
import type { Readable } from 'node:stream'
import t from 'tap'
import backgroundTasks from '../../index.js'
import { Probe, actualRuns, expectedRuns } from '../support/probe.js'
import { RawClient } from '../support/raw-client.js'
import { overHttp1, overHttp2, portOf } from '../support/transports.js'
import { nextTurn, turnUntil } from '../support/turns.js'

// More than the buffers of both ends hold.
const bodyBytes = 30 * 2 ** 20

for (const transport of [overHttp1, overHttp2]) {
  for (const way of ['reply.send', 'reply.raw.end'] as const) {
    t.test(`over ${transport.name}, tasks wait while a client does not read the reply of ${way}`, async (t) => {
      const probe = new Probe()
      const app = transport.create()
      t.teardown(() => app.close())
      await app.register(backgroundTasks)
      app.get('/', (request, reply) => {
        probe.watch(request, reply)
        probe.add(request)
        if (way === 'reply.send') reply.send(Buffer.alloc(bodyBytes))
        else reply.hijack().raw.end(Buffer.alloc(bodyBytes))
      })

      let body: Readable
      if (transport === overHttp1) {
        const client = await RawClient.connect(app)
        client.send('GET', '/', { connection: 'close' })
        body = client.socket
      } else {
        const session = http2.connect(`http://127.0.0.1:${await portOf(app)}`)
        t.teardown(() => { session.destroy() })
        body = session.request({ ':path': '/' })
      }
      body.pause()
      await probe.added
      for (let turns = 0; turns < 100; turns++) await nextTurn()
      t.same(probe.runs, [])

      let received = 0
      body.on('data', (chunk: Buffer) => { received += chunk.length })
      body.resume()
      await probe.settled(app)
      t.same(actualRuns(probe), expectedRuns({ outcome: 'sent', statusCode: 200 }))
      await turnUntil(() => received >= bodyBytes)
      await app.close()
    })
  }
}
