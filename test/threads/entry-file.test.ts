import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { entryFile } from '../../lib/threads/entry-file.js'
import { entryPath } from '../../lib/threads/entry-path.cjs'

const refusal = {
  code: 'FST_BGT_THREAD',
  message: 'tasks with a file cannot run from a bundle: leave the packages fastify-background-tasks and piscina out of it, as external modules'
}

t.test('threads start from the file beside the one that knows the path', async (t) => {
  t.equal(entryFile(entryPath), fileURLToPath(new URL('../../lib/threads/entry.cjs', import.meta.url)))
})

t.test('a bundle whose folder has a file of that name is refused', async (t) => {
  const folder = t.testdir({ 'entry.cjs': '' })
  t.throws(() => entryFile(() => join(folder, 'entry.cjs')), refusal)
})

t.test('a bundle whose folder has no such file is refused', async (t) => {
  t.throws(() => entryFile(() => '/srv/lib/threads/entry.cjs'), refusal)
})

t.test('a bundle that has no path is refused', async (t) => {
  t.throws(() => entryFile(() => { throw new ReferenceError('__dirname is not defined') }), refusal)
})
