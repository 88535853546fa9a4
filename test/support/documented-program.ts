import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { Test } from 'tap'
import { spawnScript } from './child.js'
import { type Block, root } from './pages.js'
import { fromSources } from './snippets.js'

/** Ends a child process that says nothing. */
const CHILD_TIMEOUT_MS = 60_000

export type Line = Record<string, unknown> & { msg: string }

/** Puts whole programs into a folder. The first line of each may name its file: `// web.js`, `// routes/signup.js`. */
export function writePrograms (t: Test, blocks: readonly Block[]): string {
  const folder = t.testdir()
  for (const { text } of blocks) {
    const [, name = 'app.js'] = /^\/\/ ([\w/-]+\.js)\n/.exec(text) ?? []
    const path = join(folder, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, fromSources(text).replace('port: 3000', 'port: 0'))
  }
  return folder
}

/** A program of a page in a process of its own, with the log lines that it writes. */
export class DocumentedProgram {
  readonly lines: Line[] = []
  readonly #child: ChildProcessByStdio<null, Readable, null>
  readonly #closed: Promise<unknown[]>
  readonly #news: AsyncIterator<string>

  constructor (t: Test, path: string, env: Record<string, string> = {}, args: string[] = []) {
    this.#child = spawnScript(path, args, {
      cwd: root, stdio: ['ignore', 'pipe', 'inherit'], timeout: CHILD_TIMEOUT_MS, env: { ...process.env, ...env }
    })
    this.#closed = once(this.#child, 'close')
    this.#news = createInterface(this.#child.stdout)[Symbol.asyncIterator]()
    t.teardown(async () => {
      this.#child.kill()
      await this.#closed
    })
  }

  static start (t: Test, folder: string, name: string, env: Record<string, string> = {}): DocumentedProgram {
    return new DocumentedProgram(t, join(folder, name), env)
  }

  /** The next log line whose message has this form. */
  async logged (pattern: RegExp): Promise<Line> {
    for (;;) {
      const { value, done } = await this.#news.next()
      if (done === true) throw new Error(`the program ended without logging ${pattern}`)
      const line = JSON.parse(value) as Line
      this.lines.push(line)
      if (pattern.test(line.msg)) return line
    }
  }

  /** Where the program listens, once it does. */
  async url (): Promise<string> {
    return (await this.logged(/^Server listening/)).msg.replace(/^.* (?=http)/, '')
  }

  /** Stops the program as a process manager does, and resolves to its exit code. */
  async stop (signal: NodeJS.Signals = 'SIGTERM'): Promise<unknown> {
    this.#child.kill(signal)
    return (await this.#closed)[0]
  }
}

export async function postJson (url: string, body: object): Promise<Response> {
  return await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
}
