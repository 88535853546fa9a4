import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { createHash } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { spawnScript } from '../support/child.js'
import { withoutRedis } from '../support/redis.js'
import { startExampleApp } from '../support/example-app.js'

// Processes take their time to start on a busy machine.
t.setTimeout(120_000)

/** Ends a child process that hangs. */
const CHILD_TIMEOUT_MS = 40_000

const root = fileURLToPath(new URL('../..', import.meta.url))
const json = { 'content-type': 'application/json' }

function startExample (t: Test, name: string, env: NodeJS.ProcessEnv = {}): ChildProcessWithoutNullStreams {
  const child = spawnScript<ChildProcessWithoutNullStreams>(`examples/${name}.ts`, [], {
    cwd: root,
    env: { ...process.env, PORT: '0', ...env },
    timeout: CHILD_TIMEOUT_MS,
    killSignal: 'SIGKILL'
  })
  t.teardown(() => { child.kill('SIGKILL') })
  return child
}

/** What the demo shows, in this order. Without a redis-server it has no workers to kill. */
const story = (hasRedis: boolean): RegExp[] => [
  /^ +0 ms {2}POST \/signup$/m,
  /^ +201 after \d+ ms$/m,
  /^ +\d+ ms {2,}sendWelcomeEmail starts$/m,
  /^ +\d+ ms {2,}the SMTP server gets "Welcome"$/m,
  /^ +\d+ ms {2,}sendWelcomeEmail completed$/m,
  /^ +\d+ ms {2,}notifyWarehouse starts, attempt 2$/m,
  /^ +\d+ ms {2,}notifyWarehouse failed: fetch failed$/m,
  /^ +\d+ ms {2,}sendReceipt completed$/m,
  /^ +202 after \d+ ms$/m,
  /^ +\d+ ms {2}GET \/tasks\/…\/events$/m,
  /^ +█+ 100 %$/m,
  /^ +200 after \d+ ms, completed$/m,
  /✓ the client has the result: \{"year":2026,"total":2028\}$/m,
  /^ +hangs up after \d+ ms$/m,
  /^ +\d+ ms {2,}recordVisit completed$/m,
  /^ +\d+ replies, each within \d+ ms$/m,
  /^ +\d+ ms {2,}endlessLoop failed: timed out after 500 ms$/m,
  /^ +\d+ ms {2,}nextTask completed$/m,
  ...(hasRedis
    ? [/^ +\d+ ms {2,}worker process: kill -9$/m, /^ +\d+ ms {2,}renderVideo completed$/m]
    : [/^ +skipped: this machine has no redis-server$/m]),
  /^ +a loop in an onResponse hook +█+ \d+ ms$/m,
  /^ +this plugin +█+ \d+ ms$/m,
  /^ +\d+ ms {2,}close\(\) is called, with 1 task running$/m,
  /^ +\d+ ms {2,}sendWelcomeEmail completed$/m,
  /^ +\d+ ms {2,}log: mailer: connections closed$/m,
  /^ +\d+ ms {2,}close\(\) is done$/m,
  /^Everything happened as it should\.$/m
]

async function checkDemo (t: Test, hasRedis: boolean, env?: NodeJS.ProcessEnv): Promise<void> {
  const child = startExample(t, 'demo', env)
  const [output, problems, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  t.equal(problems, '')
  t.equal(code, 0, output)
  let rest = output
  for (const line of story(hasRedis)) {
    const index = rest.search(line)
    t.not(index, -1, `${line}, after the lines before`)
    rest = rest.slice(index + 1)
  }
  t.same(output.split('\n').filter((line) => line.length > 80), [], 'no line is wider than 80 columns')
  t.notMatch(output, '\u001b', 'no colour where there is no terminal')
}

t.test('the demo shows what it promises and ends well', { skip: withoutRedis }, async (t) => {
  await checkDemo(t, true)
})

t.test('without a redis-server the demo says so, and ends well', async (t) => {
  await checkDemo(t, false, { PATH: '' })
})

t.test('the server sends the e-mail of the last sign-up before it ends on SIGTERM', async (t) => {
  const child = startExample(t, 'server')
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (chunk) => { output += chunk })
  const closed = once(child, 'close')
  const ended = closed.then(() => { throw new Error(`the server ended: ${output}`) })
  ended.catch(() => {})
  while (!output.includes('Ctrl+C')) await Promise.race([once(child.stdout, 'data'), ended])
  const [, url] = /curl -i (http:\S+)\/signup/.exec(output) ?? []
  const body = JSON.stringify({ email: 'ann@example.com' })
  const response = await fetch(`${url}/signup`, { method: 'POST', headers: json, body })
  t.equal(response.status, 201)
  child.kill('SIGTERM')

  const [code, signal] = await closed
  t.equal(code, 0)
  t.equal(signal, null)
  t.match(output, /got mail for ann@example\.com: Welcome[^]*mailer: connections closed/)
  t.match(output, /^\d\d:\d\d:\d\d\.\d{3} info {2}req-1 {2}request completed 201 in \d+ ms$/m)
})

t.test('POST /signup sends the welcome e-mail', async (t) => {
  const { app, mails } = await startExampleApp(t)
  const response = await app.inject({ method: 'POST', url: '/signup', payload: { email: 'ann@example.com' } })
  t.equal(response.statusCode, 201)
  t.same(mails, [])
  await app.backgroundTasks.idle()
  t.same(mails, [{ to: 'ann@example.com', subject: 'Welcome' }])
})

t.test('POST /signup sends nothing to what is not an address', async (t) => {
  const { app, mails } = await startExampleApp(t)
  const response = await app.inject({ method: 'POST', url: '/signup', payload: { email: 'ann' } })
  t.equal(response.statusCode, 400)
  await app.backgroundTasks.idle()
  t.same(mails, [])
})

t.test('POST /uploads says where to ask for the result', async (t) => {
  const { app } = await startExampleApp(t)
  const payload = Buffer.from('knock, knock\n'.repeat(1000))
  const headers = { 'content-type': 'application/octet-stream' }
  const response = await app.inject({ method: 'POST', url: '/uploads', headers, payload })
  t.equal(response.statusCode, 202)
  const location = response.headers.location ?? ''
  await app.backgroundTasks.idle()
  const { state, result } = (await app.inject(location)).json()
  t.equal(state, 'completed')
  t.match(result, { bytes: payload.length, sha256: createHash('sha256').update(payload).digest('hex') })
  t.ok(result.gzippedBytes < payload.length)
})

t.test('GET /uploads/:id replies 404 to an id that nobody has', async (t) => {
  const { app } = await startExampleApp(t)
  t.equal((await app.inject('/uploads/7f7a8a10-18d0-4cff-8e82-2bf128d80538')).statusCode, 404)
})

t.test('POST /orders sends the receipt although the warehouse cannot be told', async (t) => {
  const { app, mails } = await startExampleApp(t)
  const payload = { item: 'teapot', email: 'bob@example.com' }
  const response = await app.inject({ method: 'POST', url: '/orders', payload })
  t.equal(response.statusCode, 201)
  await app.backgroundTasks.idle()
  t.match(app.backgroundTasks.stats(), { completed: 1, failed: 1, retries: 1 })
  t.same(mails, [{ to: 'bob@example.com', subject: `Your order ${response.json().id}` }])
})

t.test('GET /slow counts a visitor who does not wait for the reply', async (t) => {
  const { app } = await startExampleApp(t)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const controller = new AbortController()
  const hangUp = (): void => { controller.abort() }
  subscribe('fastify-background-tasks.add', hangUp)
  t.teardown(() => { unsubscribe('fastify-background-tasks.add', hangUp) })
  await t.rejects(fetch(`${url}/slow`, { signal: controller.signal }), { name: 'AbortError' })
  unsubscribe('fastify-background-tasks.add', hangUp)

  t.same(await (await fetch(`${url}/slow`)).json(), { visits: 1 })
  await app.backgroundTasks.idle()
  t.match(app.backgroundTasks.stats(), { completed: 3, skipped: 1 })
})
