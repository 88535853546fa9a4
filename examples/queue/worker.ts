/** A worker process: the same app, which does not listen. Start as many as you like. */
import closeWithGrace from 'close-with-grace'
import { buildQueueApp } from './app.js'
import { countWordsSlowly } from './count-words-handler.js'
import { redisAddress } from './redis-address.js'

const app = await buildQueueApp({ redis: redisAddress(), worker: true, tasks: [countWordsSlowly], logger: true })

// Longer than closeTimeout (10 s) and the second after it: what is then unfinished is run by another worker.
closeWithGrace({ delay: 15_000, logger: app.log }, async ({ err }) => {
  if (err !== undefined) app.log.error(err)
  await app.close()
})

await app.ready()
app.log.info('worker is ready')
