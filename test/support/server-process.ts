import { type ChildProcess, type SpawnOptions, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, chownSync, constants, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'

/** A program's path: on PATH, or in one of the folders. */
export function findProgram (name: string, folders: string[] = []): string | undefined {
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), ...folders]) {
    const path = join(folder, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {}
  }
  return undefined
}

/** The folders of Debian's PostgreSQL packages, the newest first. */
export function postgresFolders (): string[] {
  const root = '/usr/lib/postgresql'
  try {
    return readdirSync(root).sort((a, b) => Number(b) - Number(a)).map((version) => join(root, version, 'bin'))
  } catch {
    return []
  }
}

/** tap's `skip` option for tests that need a program: a reason where it is missing, except in CI, where they fail. */
export function skipWithout (name: string, path: string | undefined): string | false {
  return path === undefined && process.env.CI !== 'true' ? `${name} is not installed` : false
}

/**
 * A port that nobody listens on, below those that systems usually give to outgoing connections, one of which may come
 * before the server does, or while it is down.
 */
export async function freePort (): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000)
    const server = createServer().listen(port, '127.0.0.1')
    try {
      await once(server, 'listening')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') continue
      throw error
    }
    server.close()
    await once(server, 'close')
    return port
  }
}

interface Identity { uid?: number, gid?: number }

/** Whom a server runs as: nobody special, for PostgreSQL refuses to run as root. */
export function unprivileged (): Identity {
  if (process.getuid?.() !== 0) return {}
  for (const name of ['postgres', 'nobody']) {
    try {
      const id = (flag: string): number => Number(execFileSync('id', [flag, name], { stdio: ['ignore', 'pipe', 'ignore'] }))
      return { uid: id('-u'), gid: id('-g') }
    } catch {}
  }
  return {}
}

/** A new folder that `identity` may write to, and what removes it. */
export function temporaryFolder (prefix: string, { uid, gid }: Identity): { folder: string, remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), prefix))
  if (uid !== undefined && gid !== undefined) chownSync(folder, uid, gid)
  return { folder, remove: () => { rmSync(folder, { recursive: true, force: true }) } }
}

const running = new Set<ChildProcess>()
process.on('exit', () => { for (const child of running) child.kill('SIGKILL') })

/** Starts a server that lives no longer than this process, and resolves once it has written `isReady`. */
export async function startServer (program: string, args: string[], isReady: RegExp, options: SpawnOptions): Promise<ChildProcess> {
  const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  child.once('exit', () => { running.delete(child) })
  let output = ''
  await new Promise<void>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      output += chunk.toString()
      if (isReady.test(output)) resolve()
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
    child.once('error', reject)
    child.once('exit', (code, signal) => { reject(new Error(`${program} ended (${signal ?? code}): ${output}`)) })
  })
  // Read on, or its pipe fills up; forget what it says.
  output = ''
  return child
}

export async function endServer (child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill(signal)
  await exited
}

/** The folder of the program itself, whatever links lead to it. */
export function folderOf (program: string): string {
  return dirname(realpathSync(program))
}
