import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
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
  readonly #children = new Set<ChildProcess>()

  constructor (t: Test, engine: BullmqEngineOptions) {
    this.#engine = engine
    t.teardown(() => {
      for (const child of this.#children) child.kill('SIGKILL')
      rmSync(this.#folder, { recursive: true, force: true })
    })
  }

  get marksFile (): string {
    return join(this.#folder, 'marks')
  }

  async start (role: ProcessSpec['role']): Promise<StoredProcess> {
    const spec: ProcessSpec = { role, engine: this.#engine, marks: this.marksFile }
    const child = spawnScript(fixture, [JSON.stringify(spec)], { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] })
    this.#children.add(child)
    const exited = once(child, 'exit')
    exited.then(() => { this.#children.delete(child) })
    const [message] = await Promise.race([
      once(child, 'message'), exited.then(([code, signal]) => { throw new Error(`a ${role} process ended (${signal ?? code})`) })
    ])
    return {
      child,
      port: message.port,
      async end (signal) {
        child.kill(signal)
        const [code] = await exited
        return code
      }
    }
  }

  marks (): Mark[] {
    if (!existsSync(this.marksFile)) return []
    return readFileSync(this.marksFile, 'utf8').split('\n').slice(0, -1).map((line) => {
      const [what, id, pid, at] = line.split(' ')
      return { what: what as Mark['what'], id: id!, pid: Number(pid), at: Number(at) }
    })
  }

  /** How often each task has started, or ended. */
  counts (what: Mark['what']): Map<string, number> {
    const counts = new Map<string, number>()
    for (const mark of this.marks()) if (mark.what === what) counts.set(mark.id, (counts.get(mark.id) ?? 0) + 1)
    return counts
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
