import t, { type Test } from 'tap'
import backgroundTasks from '../../index.js'
import { Probe, actualRuns, expectedRuns } from '../support/probe.js'
import { type ReplyRow, brokenReplyRows, replyRows } from '../support/reply-rows.js'
import { type Answer, type Transport, transports } from '../support/transports.js'

async function runRow (t: Test, transport: Transport, row: ReplyRow): Promise<{ answer: Answer, probe: Probe }> {
  const probe = new Probe()
  const app = transport.create(row.options)
  t.teardown(() => app.close())
  await app.register(backgroundTasks)
  app.addHook('onRequest', async (request, reply) => {
    probe.watch(request, reply)
    probe.add(request)
  })
  row.setup(app)
  const answer = await transport.call(app, row.call ?? {})
  await probe.settled(app)
  await app.close()
  return { answer, probe }
}

for (const transport of transports) {
  t.test(`over ${transport.name}, tasks run once and after the reply to`, async (t) => {
    for (const row of replyRows) {
      t.test(row.title, async (t) => {
        const { answer, probe } = await runRow(t, transport, row)
        t.match(answer, { status: row.status }, 'the client has its reply')
        t.same(actualRuns(probe), expectedRuns({ outcome: 'sent', statusCode: row.status }))
      })
    }
  })

  t.test(`over ${transport.name}, tasks run once when the reply is broken off by`, async (t) => {
    for (const row of brokenReplyRows) {
      t.test(row.title, { skip: row.skip ?? false }, async (t) => {
        const { answer, probe } = await runRow(t, transport, row)
        t.notMatch(answer, { body: 'hello' }, 'the client has no whole reply')
        t.same(actualRuns(probe), expectedRuns({ outcome: 'aborted', statusCode: row.status }))
      })
    }
  })
}
