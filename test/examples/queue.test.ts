import type { ChildProcess, ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import ts from 'typescript'
import { spawnScript } from '../support/child.js'
import { RedisServer, withoutRedis } from '../support/redis.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const json = { 'content-type': 'application/json' }

interface Example {
  child: ChildProcess
  output: () => string
  /** Resolves once the output matches. */
  says: (pattern: RegExp) => Promise<RegExpExecArray>
}

function startExample (t: Test, name: string, redis: RedisServer): Example {
  const child = spawnScript<ChildProcessByStdio<null, Readable, null>>(`examples/queue/${name}.ts`, [], {
    cwd: root,
    env: { ...process.env, PORT: '0', REDIS_URL: `redis://127.0.0.1:${redis.port}` },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(() => { child.kill('SIGKILL') })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (chunk) => { output += chunk })
  const ended = once(child, 'close').then(() => { throw new Error(`${name} ended: ${output}`) })
  ended.catch(() => {})
  return {
    child,
    output: () => output,
    async says (pattern) {
      for (;;) {
        const match = pattern.exec(output)
        if (match !== null) return match
        await Promise.race([once(child.stdout, 'data'), ended])
      }
    }
  }
}

/** The files that a file imports, and so on. */
async function importsOf (file: string, found = new Set<string>()): Promise<Set<string>> {
  if (found.has(file)) return found
  found.add(file)
  for (const { fileName } of ts.preProcessFile(await readFile(join(root, file), 'utf8')).importedFiles) {
    const imported = join(dirname(file), fileName).replace(/js$/, 'ts')
    if (fileName.startsWith('./')) await importsOf(imported, found)
  }
  return found
}

t.test('the web process of the example loads the declaration, and nothing of the handler', async (t) => {
  const web = await importsOf('examples/queue/web.ts')
  t.ok(web.has('examples/queue/count-words.ts'))
  t.notOk(web.has('examples/queue/count-words-handler.ts'))
  t.ok((await importsOf('examples/queue/worker.ts')).has('examples/queue/count-words-handler.ts'))
})

t.test('web and worker processes share the work of the example', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())
  const web = startExample(t, 'web', redis)
  const [, url] = await web.says(/curl -i (http:\S+)\/texts/)

  const body = JSON.stringify({ text: 'to be or not to be' })
  const response = await fetch(`${url}/texts`, { method: 'POST', headers: json, body })
  t.equal(response.status, 202)
  const { id } = await response.json()
  const location = response.headers.get('location')
  t.equal(location, `/texts/${id}`)

  // Before there is a worker: the task must not end before it is watched.
  const stream = await fetch(`${url}${location}/events`)
  const worker = startExample(t, 'worker', redis)
  await worker.says(/worker is ready/)
  const events = await stream.text()
  t.match(events, /^event: state\ndata: \{[^\n]*"state":"waiting"[^]*event: progress[^]*event: state\ndata: \{[^\n]*"state":"completed"[^\n]*"result":\{"words":6\}[^\n]*\}\n\n$/)
  await worker.says(new RegExp(`"taskId":"${id}","words":6,"msg":"counted"`))
  t.notMatch(web.output(), /counted/)

  t.match(await (await fetch(`${url}/admin/queues/`)).text(), /<html/i)
  const board = await (await fetch(`${url}/admin/queues/api/queues`)).json()
  t.match(board, { queues: [{ name: 'background-tasks', counts: { completed: 1 } }] }, 'the board counts it')
  t.match(await (await fetch(`${url}/background-tasks`)).text(), /<title>Background tasks<\/title>/)

  for (const { child } of [web, worker]) {
    const closed = once(child, 'close')
    child.kill('SIGTERM')
    t.same(await closed, [0, null])
  }
})
