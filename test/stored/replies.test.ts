import t, { type Test } from 'tap'
import backgroundTasks, { defineTask, type Task, type When } from '../../index.js'
import { createDistantEngine } from '../support/engine.js'
import { type ReplyRow, brokenReplyRows, replyRows } from '../support/reply-rows.js'
import { nextTurn } from '../support/turns.js'
import { type Transport, transports } from '../support/transports.js'

const whens: readonly When[] = ['always', 'error', 'success']

interface Outcome {
  /** The status at each pass of onSend before the response was over. */
  passes: number[]
  /** What was stored, in one list. */
  stored: unknown[]
  /** What has run. */
  ran: unknown[]
  /** How many were never stored. */
  skipped: number
}

/** Adds one registered task for each `when` to a request that is replied to as the row says. */
async function runRow (t: Test, transport: Transport, row: ReplyRow): Promise<Outcome> {
  const passes: number[] = []
  const ran: unknown[] = []
  const tasks: Task[] = []
  const engine = createDistantEngine()
  const note = defineTask({ name: 'note', payload: {}, handler (when) { ran.push(when) } })
  const app = transport.create(row.options)
  t.teardown(() => app.close())
  app.addHook('onSend', async (request, reply) => { if (!reply.raw.destroyed) passes.push(reply.statusCode) })
  await app.register(backgroundTasks, { engine, tasks: [note] })
  app.addHook('onRequest', async (request) => {
    tasks.push(...whens.map((when) => request.backgroundTasks.add(note, when, { when })))
  })
  row.setup(app)
  await transport.call(app, row.call ?? {})
  await app.backgroundTasks.idle({ timeout: 3000 })
  const stored = engine.batches.flat().map(({ payload }) => payload)
  while (ran.length < stored.length) await nextTurn()
  await app.close()
  return { passes, stored, ran, skipped: tasks.filter(({ state }) => state === 'skipped').length }
}

/** What is wanted by any of these statuses, sorted. */
function wantedBy (statuses: number[]): When[] {
  return whens.filter((when) => when === 'always' || statuses.some((status) => (status < 400) === (when === 'success')))
}

for (const transport of transports) {
  t.test(`over ${transport.name}, registered tasks are stored and run once, as when says of the status in onSend, by`, async (t) => {
    for (const row of replyRows) {
      t.test(row.title, async (t) => {
        const { passes, stored, ran, skipped } = await runRow(t, transport, row)
        // Without a pass the status is that which the client got.
        const wanted = wantedBy(passes.length > 0 ? passes : [row.status])
        t.same(stored.sort(), wanted)
        t.same(ran.sort(), wanted)
        t.equal(skipped, whens.length - wanted.length)
      })
    }
  })

  t.test(`over ${transport.name}, registered tasks are stored and run once when the reply is broken off by`, async (t) => {
    for (const row of brokenReplyRows) {
      t.test(row.title, { skip: row.skip ?? false }, async (t) => {
        const { passes, stored, ran, skipped } = await runRow(t, transport, row)
        const wanted = wantedBy(passes)
        t.same(stored.sort(), wanted)
        t.same(ran.sort(), wanted)
        t.equal(skipped, whens.length - wanted.length)
      })
    }
  })
}
