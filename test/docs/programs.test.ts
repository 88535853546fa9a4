import t from 'tap'
import { DocumentedProgram, type Line, postJson, writePrograms } from '../support/documented-program.js'
import { blocksIn, pageAt } from '../support/pages.js'
import { RedisServer, withoutRedis } from '../support/redis.js'

t.setTimeout(120_000)

const programsOf = (path: string) => pageAt(path).blocks.filter(({ language }) => language === 'js')

t.test('the pages with whole programs are those of this file', async (t) => {
  t.same([...new Set(blocksIn('js').map(({ page }) => page))], ['README.md', 'docs/redis-postgresql.md'])
})

t.test('the first example writes the log lines that stand below it', async (t) => {
  t.equal(programsOf('README.md').length, 1)
  const program = DocumentedProgram.start(t, writePrograms(t, programsOf('README.md')), 'app.js')
  const response = await postJson(`${await program.url()}/signup`, { email: 'ann@example.com' })
  t.equal(response.status, 201)
  t.same(await response.json(), { welcome: 'ann@example.com' })
  await program.logged(/^background task failed/)

  const [shown] = pageAt('README.md').blocks.filter(({ language }) => language === 'json')
  const expected = shown!.text.trim().split('\n').map((line) => JSON.parse(line) as Line)
  t.match(program.lines.filter(({ msg }) => !msg.startsWith('Server listening')), expected)
  t.equal(program.lines.length, expected.length + 1, 'and no other line')
})

t.test('web process and worker share the work, and end on SIGTERM', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())
  const folder = writePrograms(t, programsOf('docs/redis-postgresql.md'))
  const env = { REDIS_URL: `redis://127.0.0.1:${redis.port}` }
  const web = DocumentedProgram.start(t, folder, 'web.js', env)
  const worker = DocumentedProgram.start(t, folder, 'worker.js', env)

  const url = await web.url()
  const response = await postJson(`${url}/invoices`, { to: 'ann@example.com' })
  t.equal(response.status, 202)
  const { reqId } = await worker.logged(/^sending an invoice to ann@example.com/)
  t.equal(reqId, 'req-1', 'the line of the worker has the id of the request')
  t.match(await (await fetch(url + response.headers.get('location')!)).json(), { name: 'send-invoice' })

  t.equal(await worker.stop(), 0)
  t.equal(await web.stop(), 0)
})
