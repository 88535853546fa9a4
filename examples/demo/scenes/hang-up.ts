import assert from 'node:assert/strict'
import type { Stage } from '../stage.js'

export async function hangUp ({ app, url, client, timeline }: Stage): Promise<void> {
  timeline.scene('A client hangs up before the reply. The task runs all the same.')
  await client.hangUp(`${url}/slow`, timeline.until('app: adds recordReader'))
  await timeline.until('app: recordVisit completed')
  timeline.expect('client: GET /slow', 'client: hangs up after ', 'app: recordVisit starts', 'app: recordVisit completed')
  await app.backgroundTasks.idle()
  timeline.expectNone('app: recordReader starts')
  assert.equal(app.backgroundTasks.stats().skipped, 1)
  timeline.screen.finding('recordReader is for replies that got out: skipped')
}
