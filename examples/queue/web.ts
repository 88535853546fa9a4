/** A web process: stores tasks, and runs none. Start as many as you like. */
import closeWithGrace from 'close-with-grace'
import { buildQueueApp } from './app.js'
import { countWords } from './count-words.js'
import { redisAddress } from './redis-address.js'

const app = await buildQueueApp({ redis: redisAddress(), worker: false, tasks: [countWords], logger: true })

closeWithGrace({ delay: 15_000, logger: app.log }, async ({ err }) => {
  if (err !== undefined) app.log.error(err)
  await app.close()
})

const url = await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) })

console.log(`
Start workers in other terminals: npx tsx examples/queue/worker.ts. Then try:

  # 202 at once, with the id of the task
  curl -i ${url}/texts -H 'content-type: application/json' -d '{"text":"to be or not to be"}'

  # its progress and its end, as server-sent events
  curl ${url}/texts/ID/events

The dashboard is at ${url}/background-tasks, and the board of BullMQ at ${url}/admin/queues. Kill a worker with kill -9: another one does its work.
`)
