import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import http from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { spawnScript } from '../support/child.js'

const server = fileURLToPath(new URL('../fixtures/graceful-server.ts', import.meta.url))
const connections = 50
const acceptedBeforeSignal = 2000

/** Sends one request; resolves to its status, or to 0 when there was no reply. */
async function post (agent: http.Agent, port: number, id: string): Promise<number> {
  const request = http.request({ agent, host: '127.0.0.1', port, method: 'POST', path: `/${id}` })
  request.end()
  try {
    const [response] = await once(request, 'response') as [http.IncomingMessage]
    const { statusCode = 0 } = response.resume()
    return statusCode
  } catch {
    return 0
  }
}

/** Sends requests on all connections until the server takes no more. Returns the ids of those it has accepted. */
async function load (child: ChildProcess, port: number): Promise<string[]> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections })
  const accepted: string[] = []
  async function sendInTurn (connection: number): Promise<void> {
    for (let n = 0; ; n++) {
      const id = `${connection}-${n}`
      if (await post(agent, port, id) !== 202) return
      if (accepted.push(id) === acceptedBeforeSignal) child.kill('SIGTERM')
    }
  }
  await Promise.all(Array.from({ length: connections }, (_, connection) => sendInTurn(connection)))
  agent.destroy()
  return accepted
}

t.test('a server that gets SIGTERM under load runs every task of every request it has accepted, once', async (t) => {
  const file = join(t.testdir({}), 'tasks.txt')
  const child = spawnScript(server, [file], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  t.teardown(() => { child.kill('SIGKILL') })
  const exited = once(child, 'exit')
  const [port] = await once(child, 'message') as [number]

  const accepted = await load(child, port)
  t.same(await exited, [0, null])

  const lines = (await readFile(file, 'utf8')).trim().split('\n')
  const ran = lines.filter((line) => line !== 'closed')
  const expected = accepted.flatMap((id) => [`${id} first`, `${id} second`])
  const known = new Set(ran)
  t.ok(accepted.length >= acceptedBeforeSignal, `${accepted.length} requests were accepted`)
  t.same(expected.filter((line) => !known.has(line)), [], 'none is lost')
  t.equal(known.size, ran.length, 'none runs twice')
  t.same(ran.filter((line) => line.endsWith('without a database')), [], 'none runs after another plugin has closed')
  t.equal(lines.at(-1), 'closed')
})
