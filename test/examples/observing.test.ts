import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { spawnScript } from '../support/child.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

function startExample (t: Test, name: string) {
  const child = spawnScript<ChildProcessByStdio<null, Readable, null>>(`examples/${name}.ts`, [], {
    cwd: root,
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(() => { child.kill('SIGKILL') })
  return child
}

t.test('the metrics example counts tasks for Prometheus, and ends on SIGTERM', async (t) => {
  const child = startExample(t, 'metrics')
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (chunk) => { output += chunk })
  while (!output.includes('/metrics')) await once(child.stdout, 'data')
  const [, url] = /curl (http:\S+)\/metrics/.exec(output) ?? []

  t.equal((await fetch(`${url}/mails`, { method: 'POST' })).status, 202)
  let metrics = ''
  while (!metrics.includes('background_tasks_total{state="failed"} 1')) {
    const response = await fetch(`${url}/metrics`)
    if (metrics === '') t.match(response.headers.get('content-type'), 'text/plain; version=0.0.4')
    metrics = await response.text()
  }
  for (const line of [
    'background_tasks{state="waiting"} 0',
    'background_tasks{state="active"} 0',
    'background_tasks{state="delayed"} 0',
    'background_tasks_oldest_waiting_seconds 0',
    'background_tasks_total{state="completed"} 1',
    'background_tasks_total{state="failed"} 1',
    'background_tasks_total{state="cancelled"} 0',
    'background_tasks_total{state="skipped"} 0',
    'background_task_attempt_seconds_count{task="sendMail",state="completed"} 1',
    'background_task_attempt_seconds_count{task="alwaysFails",state="failed"} 1'
  ]) t.ok(metrics.split('\n').includes(line), line)
  const [, seconds] = /attempt_seconds_sum\{task="sendMail",state="completed"\} (\S+)/.exec(metrics) ?? []
  t.ok(Number(seconds) >= 0.04 && Number(seconds) < 10, `${seconds} s`)

  child.kill('SIGTERM')
  t.same(await once(child, 'close'), [0, null])
})

t.test('the tracing example prints the spans of tasks as children of the span of their request', async (t) => {
  const child = startExample(t, 'tracing')
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')])
  t.equal(code, 0)
  t.equal(output, `POST /orders
  task sendMail, attempt 1
    SMTP ann@example.com
  task callWebhook, attempt 1: 502
    HTTP webhook
  task callWebhook, attempt 2
    HTTP webhook
`)
})
