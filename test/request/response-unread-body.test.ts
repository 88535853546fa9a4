import t from 'tap'
import backgroundTasks from '../../index.js'
import { createLatch } from '../support/latch.js'
import { Probe, actualRuns, expectedRuns } from '../support/probe.js'
import { RawClient } from '../support/raw-client.js'
import { overHttp1 } from '../support/transports.js'

const bodyBytes = 20 * 2 ** 20
const headers = { 'content-type': 'application/octet-stream', 'content-length': bodyBytes }

// While a body is not read, Node.js does not notice that its client has gone: only the reply's write can tell, and a
// mere close lets that write succeed.
const ends = { destroy: 'sent', resetAndDestroy: 'aborted' } as const

for (const end of ['destroy', 'resetAndDestroy'] as const) {
  t.test(`tasks run once when the client of a 20 MB body that nobody reads has gone, by ${end}`, async (t) => {
    const probe = new Probe()
    const gone = createLatch()
    const app = overHttp1.create()
    t.teardown(() => app.close())
    await app.register(backgroundTasks)
    app.addContentTypeParser('application/octet-stream', (_request, _payload, done) => { done(null) })
    app.post('/', async (request, reply) => {
      probe.watch(request, reply)
      probe.add(request)
      await gone.promise
      return reply.code(201).send('hello')
    })

    const client = await RawClient.connect(app)
    client.send('POST', '/', headers, Buffer.alloc(bodyBytes))
    await probe.added
    client.socket[end]()
    await client.closed()
    gone.resolve()
    await probe.settled(app)
    await app.close()

    t.same(actualRuns(probe), expectedRuns({ outcome: ends[end], statusCode: 201 }))
  })
}
