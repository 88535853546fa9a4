import { channel, subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TaskMessage } from '../../index.js'
import type { Client, Reply } from './client.js'
import type { Timeline } from './timeline.js'

const ignore = (): void => {}

/** The message of an error, which need not name the task again. */
const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error)).replace(/^task "\w+" /, '')

/** Shows every task. The app does not know: the plugin publishes this on diagnostics_channel. Returns what ends it. */
export function watchTasks (timeline: Timeline): () => void {
  const onAdd = (message: unknown): void => { timeline.add('app', `adds ${(message as TaskMessage).task.name}`) }
  const run = tracingChannel<unknown, TaskMessage>('fastify-background-tasks.run')
  const subscribers = {
    start ({ task: { name, attempt } }: TaskMessage) {
      timeline.add('app', `${name} starts${attempt === 1 ? '' : `, attempt ${attempt}`}`)
    },
    asyncEnd ({ task: { name, state }, error }: TaskMessage & { error?: unknown }) {
      if (error === undefined) timeline.add('app', `${name} ${state}`, 'good')
      else timeline.add('app', `${name} failed: ${reason(error)}`, 'bad')
    },
    end: ignore,
    asyncStart: ignore,
    error: ignore
  }
  subscribe('fastify-background-tasks.add', onAdd)
  run.subscribe(subscribers)
  return () => {
    unsubscribe('fastify-background-tasks.add', onAdd)
    run.unsubscribe(subscribers)
  }
}

/**
 * Shows the requests of the client, and what it says of their replies. A reply has its place where the app is done with it: its
 * bytes have then left, and the client, another process, reads them as soon as the system lets it.
 */
export function watchRequests (timeline: Timeline, client: Client, describe: (reply: Reply) => string): void {
  channel('http.server.request.start').subscribe((message) => {
    const { request, response } = message as { request: IncomingMessage, response: ServerResponse }
    const { 'x-demo': number, 'x-demo-sent': sent } = request.headers
    if (number === undefined) return
    timeline.addRequest(`${request.method} ${request.url}`, Number(sent) - performance.timeOrigin)
    let isOver = false
    const end = (): void => {
      if (isOver) return
      isOver = true
      const say = timeline.reserve('client')
      client.outcomeOf(Number(number)).then((reply) => { say(describe(reply)) }, (error) => { say(reason(error), 'bad') })
    }
    response.once('finish', end).once('close', end)
  })
}

/** A logger that shows what the app logs about tasks and shutdown. */
export function timelineLogger (timeline: Timeline) {
  const ordinary = /^(incoming request|request completed|Server listening)/
  return {
    level: 'info',
    stream: {
      write (line: string): void {
        const { level, msg } = JSON.parse(line)
        if (ordinary.test(msg)) return
        const isError = level >= 50
        timeline.add('app', `log: ${isError ? 'error: ' : ''}${msg}`, isError ? 'bad' : undefined)
      }
    }
  }
}
