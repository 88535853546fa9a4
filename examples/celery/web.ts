/** A web process. Its workers are Celery's: see README.md. */
import closeWithGrace from 'close-with-grace'
import { buildCeleryApp } from './app.js'

const redis = 'redis://127.0.0.1:6379/0'
const { BROKER_URL: broker = redis, RESULT_URL: results = redis, PORT: port = 3000 } = process.env

const app = await buildCeleryApp({ celery: { broker, results }, logger: true })

closeWithGrace({ delay: 15_000, logger: app.log }, async ({ err }) => {
  if (err !== undefined) app.log.error(err)
  await app.close()
})

const url = await app.listen({ host: '127.0.0.1', port: Number(port) })

console.log(`
Start a supplier and a worker in other terminals, as README.md says. Then try:

  # 202 at once, with the id of the task
  curl -i ${url}/imports -H 'content-type: application/json' -d '{"feed":"prices"}'

  # its progress and its end, as server-sent events
  curl ${url}/imports/ID/events
`)
