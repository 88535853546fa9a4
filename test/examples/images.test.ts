import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { Jimp } from 'jimp'
import t from 'tap'
import type { TaskSnapshot } from '../../index.js'
import { spawnTypeScript } from '../support/child.js'
import { until } from '../support/until.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const temporary = await mkdtemp(join(tmpdir(), 'images-test-'))
t.teardown(() => rm(temporary, { recursive: true, force: true }))

const example = spawnTypeScript<ChildProcessByStdio<null, Readable, null>>('examples/images.ts', [], {
  cwd: root,
  env: { ...process.env, PORT: '0', TMPDIR: temporary },
  stdio: ['ignore', 'pipe', 'inherit']
})
t.teardown(() => { example.kill('SIGKILL') })

let output = ''
example.stdout.setEncoding('utf8').on('data', (chunk: string) => { output += chunk })
const exited = once(example, 'exit')
while (!/\/images\/ID\/320/.test(output)) {
  await Promise.race([once(example.stdout, 'data'), exited.then(() => { throw new Error(output) })])
}
const url = /curl -i (http:\S+)\/images/.exec(output)![1]!

async function upload (image: Buffer): Promise<Response> {
  const body = new FormData()
  body.set('file', new Blob([new Uint8Array(image)], { type: 'image/png' }), 'photo.png')
  return await fetch(`${url}/images`, { method: 'POST', body })
}

/** What the events of a task say, to the last one. */
async function follow (location: string): Promise<Array<{ event: string, task: TaskSnapshot }>> {
  const events = await (await fetch(`${url}${location}/events`)).text()
  return [...events.matchAll(/^event: (\w+)\ndata: (.*)$/gm)].map(([, event, data]) => ({ event: event!, task: JSON.parse(data!) }))
}

/** Resolves when the example's folder holds just these. */
async function untilKept (files: string[]): Promise<void> {
  const folder = (await readdir(temporary)).find((name) => name.startsWith('images-'))!
  await until(async () => (await readdir(join(temporary, folder))).sort().join() === files.join())
}

let copies: string[] = []

t.test('an image is accepted with 202 and resized in a thread, its copies can be fetched, and the upload is removed', async (t) => {
  const response = await upload(await new Jimp({ width: 1200, height: 900, color: 0x3366ccff }).getBuffer('image/png'))
  t.equal(response.status, 202)
  const { id } = await response.json()
  const location = response.headers.get('location')!
  t.equal(location, `/images/${id}`)

  const events = await follow(location)
  const { event, task } = events.at(-1)!
  t.equal(event, 'state')
  t.match(task, {
    id,
    name: 'resize-image',
    state: 'completed',
    progress: 1,
    result: {
      original: { width: 1200, height: 900 },
      copies: [{ width: 640, height: 480 }, { width: 320, height: 240 }, { width: 160, height: 120 }]
    }
  })
  t.same((await (await fetch(`${url}${location}`)).json()), task)

  const copy = await fetch(`${url}${location}/320`)
  t.equal(copy.headers.get('content-type'), 'image/png')
  const { width, height } = await Jimp.read(Buffer.from(await copy.arrayBuffer()))
  t.same([width, height], [320, 240])
  t.equal((await fetch(`${url}${location}/321`)).status, 404)
  copies = [`${id}-160.png`, `${id}-320.png`, `${id}-640.png`]
  await untilKept(copies)
})

t.test('what is no image fails its task', async (t) => {
  const response = await upload(Buffer.from('no image'))
  t.equal(response.status, 202)
  const { task } = (await follow(response.headers.get('location')!)).at(-1)!
  t.match(task, { state: 'failed', error: { message: /MIME/ } })
  await untilKept(copies)
})

t.test('a request without a file, or with too large a one, is refused and leaves nothing behind', async (t) => {
  const empty = new FormData()
  empty.set('name', 'ann')
  t.equal((await fetch(`${url}/images`, { method: 'POST', body: empty })).status, 400)
  t.equal((await upload(Buffer.alloc(10 * 1024 * 1024 + 1))).status, 413)
  await untilKept(copies)
})

t.test('the example ends when it is told to, also with work to do', async (t) => {
  await upload(await new Jimp({ width: 1200, height: 900, color: 0x3366ccff }).getBuffer('image/png'))
  example.kill('SIGTERM')
  t.same(await exited, [0, null])
  t.notOk((await readdir(temporary)).some((name) => name.startsWith('images-')))
})
