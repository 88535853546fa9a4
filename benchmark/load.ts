import { openConnection, type Connection } from './connection.js'

export interface LoadResult {
  durationMs: number
  latenciesMs: Float64Array
}

/** Connections kept open to one server, so that several slices of load go over the same ones. */
export interface Load {
  /** Sends that many requests as fast as the connections allow. */
  saturate (requests: number): Promise<LoadResult>
  /** Sends on every connection at once. */
  burst (): Promise<void>
  close (): void
}

export async function openLoad (port: number, path: string, count: number): Promise<Load> {
  let fail: (error: Error) => void = () => {}
  // Rejects as soon as any connection breaks, whichever way of sending is under way.
  const broken = new Promise<never>((resolve, reject) => { fail = reject })
  broken.catch(() => {})
  const connections = await Promise.all(Array.from({ length: count }, () => openConnection(port, path, error => fail(error))))

  return {
    saturate: requests => Promise.race([saturate(connections, requests), broken]),
    burst: () => Promise.race([burst(connections), broken]),
    close () {
      for (const connection of connections) connection.close()
    }
  }
}

function saturate (connections: Connection[], requests: number): Promise<LoadResult> {
  return new Promise(resolve => {
    const latenciesMs = new Float64Array(requests)
    const startedAt = performance.now()
    let sent = 0
    let answered = 0

    function next (connection: Connection): void {
      if (sent === requests) return
      sent++
      connection.send(latencyMs => {
        latenciesMs[answered++] = latencyMs
        if (answered === requests) resolve({ durationMs: performance.now() - startedAt, latenciesMs })
        else next(connection)
      })
    }
    for (const connection of connections) next(connection)
  })
}

async function burst (connections: Connection[]): Promise<void> {
  await Promise.all(connections.map(connection => new Promise<number>(resolve => connection.send(resolve))))
}
