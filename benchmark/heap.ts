import { openLoad } from './load.js'
import { startServer, type ServerProcess } from './server-process.js'
import { markdownTable } from './table.js'
import type { Way } from './cpu-variants.js'

/** Heap bytes each task takes, for one way of running tasks. */
export interface HeapFigures {
  way: Way
  label: string
  /** Tasks behind the first one in the list of a request that is not over yet; undefined where there is no list. */
  waiting?: number
  /** The first task of such a request, with the list that it brings. */
  firstWaiting?: number
  /** Tasks that sleep, their requests over. */
  pending: number
  /** The same in an app with a logger, where every request has a logger of its own. */
  pendingWithLogger: number
}

const NODE_FLAGS = ['--expose-gc', '--max-old-space-size=4096']
const HELD_REQUESTS = 5000
const WAITING_EACH = 40
const PENDING_TASKS = 100_000
const WARM_UP_REQUESTS = 2000
const CONNECTIONS = 20

async function withServer<T> (spec: object, use: (server: ServerProcess) => Promise<T>): Promise<T> {
  const server = await startServer('heap.js', spec, NODE_FLAGS)
  try {
    return await use(server)
  } finally {
    await server.stop()
  }
}

/** Tasks added to requests whose response is not over: what they take beyond the same requests without. */
async function waitingBytes (way: Way, pluginUrl: string): Promise<{ first: number, further: number }> {
  return await withServer({ way, pluginUrl, logger: false }, async server => {
    await server.ask('hold', HELD_REQUESTS)
    const none = await server.ask('heapUsed', 0)
    await server.ask('addToEach', 1)
    const one = await server.ask('heapUsed', 0)
    await server.ask('addToEach', WAITING_EACH)
    const all = await server.ask('heapUsed', 0)
    await server.ask('release')
    await server.ask('heapUsed', HELD_REQUESTS * (1 + WAITING_EACH))
    return { first: (one - none) / HELD_REQUESTS, further: (all - one) / (HELD_REQUESTS * WAITING_EACH) }
  })
}

/** One sleeping task a request, over real sockets, all requests over. */
async function pendingBytes (way: Way, logger: boolean, pluginUrl: string): Promise<number> {
  return await withServer({ way, pluginUrl, logger }, async server => {
    const load = await openLoad(server.port, '/sleep', CONNECTIONS)
    await load.saturate(WARM_UP_REQUESTS)
    const before = await server.ask('heapUsed', WARM_UP_REQUESTS)
    await load.saturate(PENDING_TASKS)
    const after = await server.ask('heapUsed', WARM_UP_REQUESTS + PENDING_TASKS)
    load.close()
    return (after - before) / PENDING_TASKS
  })
}

async function measureWay (way: Way, label: string, pluginUrl: string): Promise<HeapFigures> {
  const figures: HeapFigures = {
    way,
    label,
    pending: await pendingBytes(way, false, pluginUrl),
    pendingWithLogger: await pendingBytes(way, true, pluginUrl)
  }
  if (way !== 'immediate') {
    const { first, further } = await waitingBytes(way, pluginUrl)
    figures.firstWaiting = first
    figures.waiting = further
  }
  return figures
}

export async function measureHeap (pluginUrl: string): Promise<HeapFigures[]> {
  return [
    await measureWay('plugin', 'this plugin', pluginUrl),
    await measureWay('list', 'hand-written list', pluginUrl),
    await measureWay('immediate', 'setImmediate, fire and forget', pluginUrl)
  ]
}

export function heapTable (figures: HeapFigures[]): string {
  const head = ['heap bytes per task', 'waiting', 'first one waiting, with its list', 'sleeping, request over', 'the same, logger on']
  return markdownTable(head, figures.map(({ label, waiting, firstWaiting, pending, pendingWithLogger }) =>
    [label, ...[waiting, firstWaiting, pending, pendingWithLogger].map(bytes => bytes?.toFixed(0) ?? '')]))
}
