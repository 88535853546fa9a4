import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** A server in a process of its own, run by plain node. */
export interface ServerProcess {
  port: number
  /** Asks the server something over IPC; rejects with the server's error, and when it has died. */
  ask (question: string, value?: number): Promise<number>
  /** Resolves when the process is gone. */
  stop (): Promise<void>
}

interface Message {
  port?: number
  id?: number
  answer?: number
  error?: string
}

const running = new Set<ChildProcess>()

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Starts `servers/<file>` and waits until it listens. */
export async function startServer (file: string, spec: object, nodeFlags: string[] = []): Promise<ServerProcess> {
  const path = fileURLToPath(new URL(`./servers/${file}`, import.meta.url))
  // No inherited flags: the loader this process may run under has no place in what is measured.
  const child = fork(path, [JSON.stringify(spec)], { execArgv: nodeFlags, env: { ...process.env, NODE_OPTIONS: '' } })
  running.add(child)

  const waiting = new Map<number, { resolve (value: number): void, reject (error: Error): void }>()
  let failed: Error | undefined
  let questions = 0

  const exited = once(child, 'exit').then(([code, signal]) => {
    running.delete(child)
    failed = new Error(`${file} ${JSON.stringify(spec)} ended (${signal ?? code})`)
    for (const { reject } of waiting.values()) reject(failed)
  })

  const listening = new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    exited.then(() => reject(failed))
    child.on('message', (message: Message) => {
      if (message.port !== undefined) return resolve(message.port)
      const question = waiting.get(message.id as number)
      waiting.delete(message.id as number)
      if (message.error === undefined) question?.resolve(message.answer as number)
      else question?.reject(new Error(`${JSON.stringify(spec)}: ${message.error}`))
    })
  })

  const port = await listening
  return {
    port,
    ask (question, value) {
      return new Promise((resolve, reject) => {
        if (failed !== undefined) return reject(failed)
        const id = ++questions
        waiting.set(id, { resolve, reject })
        child.send({ id, question, value })
      })
    },
    async stop () {
      if (child.connected) child.send({ id: 0, question: 'exit' })
      const hard = setTimeout(() => child.kill('SIGKILL'), 2000)
      await exited
      clearTimeout(hard)
    }
  }
}
