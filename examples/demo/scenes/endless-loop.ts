import { buildEndlessApp } from '../endless-app.js'
import type { Stage } from '../stage.js'

export async function endlessLoop ({ client, timeline }: Stage): Promise<void> {
  timeline.scene('A task never ends its loop. Its thread is stopped.')
  const app = await buildEndlessApp()
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  await client.post(`${url}/compute`, {})
  await timeline.until('app: endlessLoop starts')
  const { count, slowest } = await client.load({ url, durationMs: 300, everyMs: 10 })
  timeline.reserve('client')(`${count} replies, each within ${Math.ceil(slowest)} ms`)
  await timeline.until('app: nextTask completed')
  timeline.expect(
    'client: 202 after ',
    'app: endlessLoop starts',
    `client: ${count} replies`,
    'app: endlessLoop failed: ',
    'app: nextTask starts',
    'app: nextTask completed'
  )
  await app.close()
}
