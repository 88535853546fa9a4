import { register } from 'node:module'
import t from 'tap'
import { defineTask } from '../../index.js'
import { createApp } from '../support/app.js'
import { createEngine } from '../support/engine.js'

register('../fixtures/hooks/missing-package.js', { parentURL: import.meta.url, data: '@opentelemetry/api' })

t.test('without OpenTelemetry tasks are stored without a trace, and run', async (t) => {
  const ran: string[] = []
  const note = defineTask({ name: 'note', payload: {}, handler () { ran.push('note') } })
  const engine = createEngine()
  const app = await createApp(t, { engine, tasks: [note] })
  await app.ready()
  app.backgroundTasks.add(note, {})
  await app.backgroundTasks.idle()
  t.same(ran, ['note'])
  t.notOk('trace' in engine.batches[0]![0]!)
})
