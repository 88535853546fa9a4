/** Takes images and makes smaller copies of them in worker threads: npx tsx examples/images.ts */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import closeWithGrace from 'close-with-grace'
import { buildImageApp } from './images/app.js'

const folder = await mkdtemp(join(tmpdir(), 'images-'))
const app = await buildImageApp({ folder, logger: true })

// Longer than closeTimeout (10 s) and the second after it: an image that is being resized gets the time it was promised.
closeWithGrace({ delay: 15_000, logger: app.log }, async ({ err }) => {
  if (err !== undefined) app.log.error(err)
  await app.close()
  await rm(folder, { recursive: true })
})

const url = await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) })

console.log(`
Try, in another terminal, with an image of yours:

  # 202 at once; where to ask is in the location header
  curl -i ${url}/images -F file=@photo.jpg

  # its state, and its sizes once it is done; or its progress, as server-sent events
  curl ${url}/images/ID
  curl ${url}/images/ID/events

  # a copy 320 pixels wide
  curl -o small.png ${url}/images/ID/320
`)
