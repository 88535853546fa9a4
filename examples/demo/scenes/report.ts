import assert from 'node:assert/strict'
import type { Stage } from '../stage.js'

export async function report ({ url, client, timeline }: Stage): Promise<void> {
  timeline.scene('A report takes a while. The client follows it to its result.')
  const { status, location } = await client.post(`${url}/reports`, { year: 2026 })
  assert.equal(status, 202)
  let last: unknown
  const { body } = await client.follow(`${url}${location}/events`, ({ progress }) => {
    if (typeof progress === 'number' && progress !== last) timeline.screen.progress(progress)
    last = progress
  })
  await timeline.until('client: 200 after ')
  timeline.expect(
    'client: 202 after ',
    'app: build-report starts',
    'client: GET /tasks/…/events',
    'app: build-report completed'
  )
  const { state, result } = JSON.parse(body)
  assert.equal(state, 'completed')
  assert.deepEqual(result, { year: 2026, total: 2028 })
  timeline.screen.finding(`the client has the result: ${JSON.stringify(result)}`)
}
