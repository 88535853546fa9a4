import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { DocumentedProgram, type Line, postJson, writePrograms } from '../support/documented-program.js'
import { blocksIn, pageAt } from '../support/pages.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { freePort } from '../support/server-process.js'

t.setTimeout(120_000)

const programsOf = (path: string, heading = '') => pageAt(path).blocks.filter(({ language, key }) => language === 'js' && key.startsWith(heading))

t.test('the pages with whole programs are those of this file', async (t) => {
  t.same([...new Set(blocksIn('js').map(({ page }) => page))], ['README.md', 'docs/recipes.md', 'docs/redis-postgresql.md'])
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

t.test('an app of fastify-cli finishes its tasks on SIGTERM', async (t) => {
  const folder = writePrograms(t, programsOf('docs/recipes.md', 'fastify-cli'))
  const [command] = pageAt('docs/recipes.md').blocks.filter(({ language }) => language === 'sh')
  const [npx, program, ...args] = command!.text.trim().split(' ')
  t.same([npx, program, args.at(-1)], ['npx', 'fastify', './app.js'])
  const port = String(await freePort())
  const cli = createRequire(import.meta.url).resolve('fastify-cli/cli.js')
  const server = new DocumentedProgram(t, cli, {}, [...args.slice(0, -1), '--port', port, join(folder, 'app.js')])
  await server.logged(/^Server listening/)
  t.equal((await postJson(`http://127.0.0.1:${port}/signup`, { email: 'ann@example.com' })).status, 201)
  const stopped = server.stop()
  await server.logged(/^mail sent to ann@example.com$/)
  t.equal(await stopped, 0)
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`the workers of a cluster finish their tasks on ${signal}`, async (t) => {
    const program = DocumentedProgram.start(t, writePrograms(t, programsOf('docs/recipes.md', 'A cluster')), 'cluster.js')
    const url = await program.url()
    const workers = (): Set<unknown> => new Set(program.lines.map(({ pid }) => pid))
    // Each worker says for itself that it listens.
    while (workers().size < availableParallelism()) await program.url()
    for (let index = 0; index < 6; index++) {
      t.equal((await fetch(`${url}/signup`, { method: 'POST', headers: { connection: 'close' } })).status, 201)
    }
    // As a terminal does, which sends it to all of them.
    if (signal === 'SIGINT') for (const pid of workers()) process.kill(Number(pid), signal)
    const stopped = program.stop(signal)
    const served = new Set<unknown>()
    for (let index = 0; index < 6; index++) served.add((await program.logged(/^mail sent$/))['pid'])
    t.equal(served.size, Math.min(6, availableParallelism()), 'all workers have served')
    t.equal(await stopped, 0)
  })
}
