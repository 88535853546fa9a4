/** The client of the demo. In a process of its own, it and the app do not slow each other down. */
import { once } from 'node:events'
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command, Load, LoadFigures, Reply } from './client.js'
import { readEvents } from './read-events.js'

/** How many requests an app gets before its times count. */
const WARM_UP = 30

const agent = new Agent({ keepAlive: true })
const hangUps = new Map<number, () => void>()

function startClock (): () => number {
  const start = performance.now()
  return () => Math.round(performance.now() - start)
}

function headersOf ({ number, json }: Command): Record<string, string> {
  const sent = performance.timeOrigin + performance.now()
  return { 'x-demo': String(number), 'x-demo-sent': String(sent), ...(json !== undefined && { 'content-type': 'application/json' }) }
}

async function responseTo (outgoing: ClientRequest): Promise<IncomingMessage> {
  const [response] = await once(outgoing, 'response')
  return response
}

async function send (command: Command): Promise<Reply> {
  const { url, method = 'GET', json } = command
  const clock = startClock()
  const response = await responseTo(request(url, { agent, method, headers: headersOf(command) }).end(json))
  const ms = clock()
  return { ms, status: response.statusCode!, location: response.headers.location ?? '', body: await text(response) }
}

/** Waits for the command `abort` in place of the reply. */
async function hangUp (command: Command): Promise<Reply> {
  const clock = startClock()
  const outgoing = request(command.url, { agent: false, headers: headersOf(command) }).end()
  hangUps.set(command.number, () => { outgoing.destroy() })
  const gotReply = await responseTo(outgoing).then(() => true, () => false)
  if (gotReply) throw new Error(`${command.url} has replied`)
  return { ms: clock(), status: 0, location: '', body: '' }
}

/** Tells of each server-sent event. */
async function follow (command: Command): Promise<Reply> {
  const clock = startClock()
  const response = await fetch(command.url, { headers: headersOf(command) })
  let body = ''
  for await (const { task } of readEvents(response)) {
    process.send!({ number: command.number, task })
    body = JSON.stringify(task)
  }
  return { ms: clock(), status: response.status, location: '', body }
}

/** Asks at a steady pace, with bursts of other requests in between. The time of a request begins when it is due. */
async function load ({ url, durationMs, everyMs, burst }: Load): Promise<LoadFigures> {
  const times: number[] = []
  const pending: Array<Promise<unknown>> = []
  const ask = async (path: string): Promise<string> => await text(await responseTo(request(url + path, { agent }).end()))
  // The first requests of an app are slower than all others.
  for (let i = 0; i < WARM_UP; i++) await ask('/')
  if (burst !== undefined) await ask(burst.path)
  const start = performance.now()
  for (let after = 0; after < durationMs; after += everyMs) {
    await sleep(Math.max(0, start + after - performance.now()))
    if (burst !== undefined && after % burst.everyMs === 0) {
      for (let i = 0; i < burst.requests; i++) pending.push(ask(burst.path))
    }
    pending.push(ask('/').then(() => { times.push(performance.now() - start - after) }))
  }
  await Promise.all(pending)
  times.sort((a, b) => a - b)
  return { count: times.length, p99: times[Math.ceil(times.length * 0.99) - 1]!, slowest: times.at(-1)! }
}

const actions = { send, hangUp, follow, load: (command: Command) => load(command.load!) }

process.on('message', (command: Command) => {
  const { number, action } = command
  if (action === 'abort') return hangUps.get(number)!()
  actions[action](command).then(
    (value) => { process.send!({ number, value }) },
    (error) => { process.send!({ number, error: String(error) }) }
  )
})
// The demo has ended.
process.on('disconnect', () => { process.exit() })
