import assert from 'node:assert/strict'
import type { Stage } from '../stage.js'

export async function signUp ({ url, client, timeline }: Stage): Promise<void> {
  timeline.scene('A sign-up is answered at once. The e-mail is sent afterwards.')
  const { status } = await client.post(`${url}/signup`, { email: 'ann@example.com' })
  assert.equal(status, 201)
  await timeline.until('app: sendWelcomeEmail completed')
  timeline.expect(
    'client: POST /signup',
    'app: adds sendWelcomeEmail',
    'client: 201 after ',
    'app: sendWelcomeEmail starts',
    'app: the SMTP server gets "Welcome"',
    'app: sendWelcomeEmail completed'
  )
}
