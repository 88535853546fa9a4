import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { type App, buildApp } from './app.js'
import { Client } from './demo/client.js'
import { readEvents } from './demo/read-events.js'
import { Timeline } from './demo/timeline.js'
import { unreachableUrl } from './demo/unreachable-url.js'
import { timelineLogger, watchTasks } from './demo/watch.js'
import { startSmtpServer } from './smtp-server.js'

/** Ends a demo that hangs. */
const LIMIT_MS = 20_000

const timeline = new Timeline()

async function signUp (client: Client): Promise<void> {
  timeline.heading('A sign-up is answered at once; the e-mail is sent afterwards')
  const response = await client.postJson('/signup', { email: 'ann@example.com' })
  assert.equal(response.status, 201)
  await timeline.until('task:   sendWelcomeEmail completed')
  timeline.expect('app:    POST /signup added sendWelcomeEmail', 'task:   sendWelcomeEmail started, attempt 1, response sent')
  timeline.expect('client: POST /signup -> 201', 'smtp:   got "Welcome" for ann@example.com', 'task:   sendWelcomeEmail completed')
}

async function upload (client: Client): Promise<void> {
  timeline.heading('An upload is accepted with 202; it is processed afterwards')
  const file = Buffer.from('All work and no play makes Jack a dull boy.\n'.repeat(50_000))
  const response = await client.postFile('/uploads', file)
  assert.equal(response.status, 202)
  await timeline.until('task:   processUpload completed')
  timeline.expect('app:    POST /uploads added processUpload', 'task:   processUpload started, attempt 1, response sent')

  const location = response.headers.get('location') ?? ''
  const { state, result } = await (await client.send(location)).json()
  assert.equal(state, 'completed')
  assert.equal(result.bytes, file.length)
  assert.equal(result.sha256, createHash('sha256').update(file).digest('hex'))
  assert.ok(result.gzippedBytes < result.bytes)
  timeline.add(`check:  ${result.bytes} bytes became ${result.gzippedBytes}, the checksum is right`)
}

async function order (client: Client): Promise<void> {
  timeline.heading('A task fails, also when it is retried; the next one still runs')
  const response = await client.postJson('/orders', { item: 'teapot', email: 'bob@example.com' })
  assert.equal(response.status, 201)
  await timeline.until('task:   sendReceipt completed')
  timeline.expect(
    'task:   notifyWarehouse started, attempt 1',
    'log:    background task failed, will be retried (task notifyWarehouse, reqId req-',
    'task:   notifyWarehouse started, attempt 2',
    'log:    error: background task failed (task notifyWarehouse, reqId req-',
    'task:   sendReceipt started',
    'smtp:   got "Your order'
  )
}

async function report (client: Client): Promise<void> {
  timeline.heading('A report takes a while: the client gets 202 and a location, and follows its progress to the result')
  const response = await client.postJson('/reports', { year: 2026 })
  assert.equal(response.status, 202)
  const { id } = await response.json()
  const location = response.headers.get('location') ?? ''
  assert.equal(location, `/tasks/${id}`)
  for await (const { event, task } of readEvents(await client.send(`${location}/events`))) {
    const percent = Math.round(Number(task.progress ?? 0) * 100)
    timeline.add(`client: ${event} of ${task.name}: ${task.state}, ${percent} %`)
  }
  timeline.expect(
    'client: POST /reports -> 202',
    `client: GET ${location}/events -> 200`,
    'client: progress of build-report: active',
    'client: state of build-report: completed, 100 %'
  )

  const { result } = await (await client.send(location)).json()
  assert.deepEqual(result, { year: 2026, total: 2028 })
  timeline.add(`check:  the report for ${result.year} says ${result.total}`)
}

async function hangUp (client: Client, app: App): Promise<void> {
  timeline.heading('A client hangs up before the reply; the task runs all the same')
  await client.hangUp('/slow', timeline.until('app:    GET /slow added recordReader'))
  await timeline.until('task:   recordVisit completed')
  timeline.expect('task:   recordVisit started, attempt 1, response aborted')

  await app.backgroundTasks.idle()
  timeline.expectNone('task:   recordReader started')
  assert.equal(app.backgroundTasks.stats().skipped, 1)
  timeline.add('check:  recordReader, which wants a reply that got out, was skipped')
}

async function shutDown (client: Client, app: App): Promise<void> {
  timeline.heading('The app closes while a task runs; it waits for the task, and only then closes what the task needs')
  const response = await client.postJson('/signup', { email: 'eve@example.com' })
  assert.equal(response.status, 201)
  await timeline.until('task:   sendWelcomeEmail started')
  timeline.add(`app:    close() called with ${app.backgroundTasks.stats().active} task running`)
  await app.close()
  timeline.add('app:    close() done')
  timeline.expect(
    'app:    close() called with 1 task running',
    'smtp:   got "Welcome" for eve@example.com',
    'task:   sendWelcomeEmail completed',
    'log:    mailer: connections closed',
    'app:    close() done'
  )
}

async function demo (): Promise<void> {
  const smtp = await startSmtpServer(({ to, subject }) => { timeline.add(`smtp:   got "${subject}" for ${to}`) })
  const app = await buildApp({
    smtp: smtp.address,
    warehouseUrl: await unreachableUrl(),
    logger: timelineLogger(timeline)
  })
  watchTasks(timeline)
  const client = new Client(await app.listen({ host: '127.0.0.1', port: 0 }), timeline)

  await signUp(client)
  await upload(client)
  await order(client)
  await report(client)
  await hangUp(client, app)
  await shutDown(client, app)
  await smtp.close()

  const { completed, failed, skipped } = app.backgroundTasks.stats()
  assert.deepEqual({ completed, failed, skipped }, { completed: 6, failed: 1, skipped: 1 })
  console.log('\nEverything happened as it should.')
}

function fail (error: unknown): void {
  console.error(`\nThe demo failed: ${error instanceof Error ? error.stack : error}`)
  process.exit(1)
}

setTimeout(fail, LIMIT_MS, `it did not end within ${LIMIT_MS / 1000} s`).unref()
demo().catch(fail)
