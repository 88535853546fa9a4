import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { createInterface } from 'node:readline'

export interface LocalRedis {
  port: number
  stop: () => Promise<void>
}

async function freePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** A Redis that keeps nothing on disk. Undefined where the machine has no redis-server. */
export async function startRedis (): Promise<LocalRedis | undefined> {
  const port = await freePort()
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '']
  const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'ignore'] })
  const kill = (): void => { child.kill('SIGKILL') }
  process.once('exit', kill)
  const isUp = new Promise<boolean>((resolve) => {
    for (const end of ['error', 'exit']) child.once(end, () => { resolve(false) })
    createInterface(child.stdout).on('line', (line) => { if (line.includes('Ready to accept connections')) resolve(true) })
  })
  if (!await isUp) return undefined
  return {
    port,
    async stop () {
      const exited = once(child, 'exit')
      kill()
      await exited
    }
  }
}
