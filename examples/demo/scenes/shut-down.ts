import assert from 'node:assert/strict'
import type { Stage } from '../stage.js'

export async function shutDown ({ app, url, client, timeline }: Stage): Promise<void> {
  timeline.scene('The app closes. It waits for its task, and then closes what that needs.')
  const { status } = await client.post(`${url}/signup`, { email: 'eve@example.com' })
  assert.equal(status, 201)
  await timeline.until('app: sendWelcomeEmail starts')
  timeline.add('app', `close() is called, with ${app.backgroundTasks.stats().active} task running`)
  await app.close()
  timeline.add('app', 'close() is done')
  timeline.expect(
    'app: close() is called, with 1 task running',
    'app: the SMTP server gets "Welcome"',
    'app: sendWelcomeEmail completed',
    'app: log: mailer: connections closed',
    'app: close() is done'
  )
}
