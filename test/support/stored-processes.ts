import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import type { BullmqEngineOptions } from '../../lib/bullmq.mjs'
import type { ProcessSpec } from '../fixtures/stored-process.js'
import { spawnScript } from './child.js'

const fixture = fileURLToPath(new URL('../fixtures/stored-process.ts', import.meta.url))

export interface StoredProcess {
  child: ChildProcess
  port: number
  /** Requests that have reached its app. */
  received: number
  /** Resolves to its exit code, or null after a signal. */
  end: (signal: NodeJS.Signals) => Promise<number | null>
}

export interface Mark {
  what: 'start' | 'end'
  id: string
  pid: number
  at: number
}

/** Processes of one app, and the marks that its tasks leave. */
export class StoredProcesses {
  readonly #engine: BullmqEngineOptions
  readonly #folder = mkdtempSync(join(tmpdir(), 'stored-'))
  readonly #marksFile = join(this.#folder, 'marks')
  /** Open where the marks begin that have not been read yet. */
  readonly #unread = openSync(this.#marksFile, 'a+')
  #brokenLine = ''
  readonly #marks: Mark[] = []
  readonly #counts = { start: new Map<string, number>(), end: new Map<string, number>() }
  readonly #children = new Set<ChildProcess>()

  constructor (t: Test, engine: BullmqEngineOptions) {
    this.#engine = engine
    t.teardown(() => {
      for (const child of this.#children) child.kill('SIGKILL')
      closeSync(this.#unread)
      rmSync(this.#folder, { recursive: true, force: true })
    })
  }

  async start (role: ProcessSpec['role']): Promise<StoredProcess> {
    const spec: ProcessSpec = { role, engine: this.#engine, marks: this.#marksFile }
    const child = spawnScript(fixture, [JSON.stringify(spec)], { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] })
    this.#children.add(child)
    const exited = once(child, 'exit')
    exited.then(() => { this.#children.delete(child) })
    const [message] = await Promise.race([
      once(child, 'message'), exited.then(([code, signal]) => { throw new Error(`a ${role} process ended (${signal ?? code})`) })
    ])
    const started: StoredProcess = {
      child,
      port: message.port,
      received: 0,
      async end (signal) {
        child.kill(signal)
        const [code] = await exited
        return code
      }
    }
    child.on('message', () => { started.received++ })
    return started
  }

  marks (): Mark[] {
    const lines = (this.#brokenLine + readFileSync(this.#unread, 'utf8')).split('\n')
    this.#brokenLine = lines.pop()!
    for (const line of lines) {
      const [what, id, pid, at] = line.split(' ') as [Mark['what'], string, string, string]
      this.#marks.push({ what, id, pid: Number(pid), at: Number(at) })
      this.#counts[what].set(id, (this.#counts[what].get(id) ?? 0) + 1)
    }
    return this.#marks
  }

  /** How often each task has started, or ended. */
  counts (what: Mark['what']): Map<string, number> {
    this.marks()
    return this.#counts[what]
  }
}

/** Posts JSON and resolves to the status once the whole reply has been read; rejects when it breaks off. */
export function post (port: number, body: unknown, agent?: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const data = JSON.stringify(body)
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(data) }
    request({ host: '127.0.0.1', port, method: 'POST', headers, agent: agent ?? false }, (response) => {
      response.resume()
      response.once('error', reject)
      response.once('end', () => { response.complete ? resolve(response.statusCode!) : reject(new Error('the reply broke off')) })
    }).once('error', reject).end(data)
  })
}
