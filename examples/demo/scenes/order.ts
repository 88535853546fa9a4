import assert from 'node:assert/strict'
import type { Stage } from '../stage.js'

export async function order ({ url, client, timeline }: Stage): Promise<void> {
  timeline.scene('A task fails, also when it is tried again. The next one still runs.')
  const { status } = await client.post(`${url}/orders`, { item: 'teapot', email: 'bob@example.com' })
  assert.equal(status, 201)
  await timeline.until('app: sendReceipt completed')
  timeline.expect(
    'client: 201 after ',
    'app: notifyWarehouse starts',
    'app: log: background task failed, will be retried',
    'app: notifyWarehouse starts, attempt 2',
    'app: log: error: background task failed',
    'app: notifyWarehouse failed: ',
    'app: sendReceipt starts',
    'app: the SMTP server gets "Your order',
    'app: sendReceipt completed'
  )
}
