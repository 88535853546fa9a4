import assert from 'node:assert/strict'
import { buildBurstApp } from '../burst-app.js'
import type { Client } from '../client.js'
import type { Stage } from '../stage.js'

/** How long other requests wait, at worst but for one in a hundred, while ten requests at once add 20 tasks each. */
async function measure (client: Client, withPlugin: boolean): Promise<number> {
  const app = await buildBurstApp(withPlugin)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const { p99 } = await client.load({ url, durationMs: 700, everyMs: 5, burst: { path: '/burst', requests: 10, everyMs: 350 } })
  await app.close()
  return p99
}

export async function burst ({ client, timeline }: Stage): Promise<void> {
  timeline.scene('Bursts of 200 tasks, each of which computes for 1 ms')
  const byHand = await measure(client, false)
  const plugin = await measure(client, true)
  const { screen } = timeline
  screen.note('meanwhile, 99 of 100 other requests are answered within')
  screen.bar('a loop in an onResponse hook', byHand, byHand, 'bad')
  screen.bar('this plugin', plugin, byHand, 'good')
  assert.ok(plugin < byHand, `${plugin} ms with the plugin, and ${byHand} ms without`)
}
