import { Agent, get } from 'node:http'

/** A steady stream of requests to one server. */
export interface PacedStream {
  /** Sends at a fixed rate, whatever the server does, so that a server that stands still is seen by all it keeps waiting. */
  run (perSecond: number, durationMs: number): Promise<number[]>
  close (): void
}

const TICK_MS = 1

/**
 * Node's own HTTP client over keep-alive connections, as many as it takes.
 *
 * Not the raw sockets of the CPU part: those see an idle server answer within 0.3 ms, which nothing can be compared
 * with while single tasks block for 1 ms. This is latency as the next service of the house sees it.
 */
export function openPacedStream (port: number): PacedStream {
  const agent = new Agent({ keepAlive: true })

  function request (): Promise<number> {
    const sentAt = performance.now()
    return new Promise((resolve, reject) => {
      get({ agent, port, host: '127.0.0.1', path: '/' }, response => {
        response.resume()
        response.on('error', reject)
        response.on('end', () => {
          if (response.statusCode === 200) resolve(performance.now() - sentAt)
          else reject(new Error(`unexpected status ${response.statusCode}`))
        })
      }).on('error', reject)
    })
  }

  async function run (perSecond: number, durationMs: number): Promise<number[]> {
    const total = Math.round(perSecond * durationMs / 1000)
    const startedAt = performance.now()
    const answers: Array<Promise<number>> = []
    await new Promise<void>(resolve => {
      const timer = setInterval(() => {
        const due = Math.min(total, Math.ceil((performance.now() - startedAt) * perSecond / 1000))
        while (answers.length < due) answers.push(request())
        if (answers.length < total) return
        clearInterval(timer)
        resolve()
      }, TICK_MS)
    })
    return await Promise.all(answers)
  }

  return { run, close: () => agent.destroy() }
}
