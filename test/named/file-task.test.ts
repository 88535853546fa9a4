import { fileURLToPath } from 'node:url'
import t from 'tap'
import { defineTask } from '../../index.js'
import { taskFileUrl } from '../../lib/named/task-file.js'
import { createApp } from '../support/app.js'
import { fixture } from '../support/threads.js'

const url = fixture('double.js')
const handler = (): void => {}

const wrong: Array<[part: object, message: string]> = [
  [{ file: './double.js' }, 'option "file" must be a file: URL or an absolute path, received "./double.js"'],
  [{ file: 'double.js' }, 'option "file" must be a file: URL or an absolute path, received "double.js"'],
  [{ file: '' }, 'option "file" must be a file: URL or an absolute path, received ""'],
  [{ file: 'file:///%2Fdouble.js' }, 'option "file" must be a file: URL or an absolute path, received "file:///%2Fdouble.js"'],
  [{ file: 'https://example.com/double.js' }, 'option "file" must be a file: URL or an absolute path, received "https://example.com/double.js"'],
  [{ file: new URL('https://example.com/double.js') }, 'option "file" must be a file: URL or an absolute path, received https://example.com/double.js'],
  [{ file: 7 }, 'option "file" must be a file: URL or an absolute path, received 7'],
  [{ file: null }, 'option "file" must be a file: URL or an absolute path, received null'],
  [{ file: url, handler }, `option "file" must be left out where there is a "handler", received ${url.href}`],
  [{ handler: undefined, file: undefined }, 'option "handler" must be a function, received undefined, and there is no "file" either']
]

for (const [part, message] of wrong) {
  t.test(`defineTask refuses it: ${message}`, async (t) => {
    t.throws(() => defineTask({ name: 'work', payload: {}, ...part } as never), { code: 'FST_BGT_INVALID_OPTIONS', message })
  })
}

t.test('a URL, its text and a path stand for the same file, a query is kept', async (t) => {
  for (const file of [url, url.href, fileURLToPath(url)]) t.equal(taskFileUrl(file), url.href)
  t.equal(taskFileUrl(`${url.href}?v=2`), `${url.href}?v=2`)
  t.equal(taskFileUrl('/srv/a b#c?.js'), 'file:///srv/a%20b%23c%3F.js')
})

t.test('a file need not be there when its task is defined', async (t) => {
  t.equal(defineTask({ name: 'work', payload: {}, file: '/nowhere/at/all.js' }).name, 'work')
})

for (const threads of [4, 'two', [], null]) {
  t.test(`the plugin refuses threads: ${JSON.stringify(threads)}`, async (t) => {
    await t.rejects(createApp(t, { threads: threads as object as never }), { code: 'FST_BGT_INVALID_OPTIONS', message: /^option "threads" must be an object, received / })
  })
}
