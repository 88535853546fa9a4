import { channel, tracingChannel } from 'node:diagnostics_channel'
import type { TaskMessage } from '../../index.js'
import type { Timeline } from './timeline.js'

const ignore = (): void => {}

const reason = (error: unknown): string => error instanceof Error ? error.message : String(error)

/** Puts every task into the timeline. The app does not know: the plugin publishes this on diagnostics_channel. */
export function watchTasks (timeline: Timeline): void {
  channel('fastify-background-tasks.add').subscribe((message) => {
    const { task, request } = message as TaskMessage
    timeline.add(`app:    ${request?.method} ${request?.url} added ${task.name}`)
  })
  tracingChannel<unknown, TaskMessage>('fastify-background-tasks.run').subscribe({
    start ({ task }) {
      timeline.add(`task:   ${task.name} started, attempt ${task.attempt}, response ${task.response?.outcome}`)
    },
    asyncEnd ({ task, error }) {
      timeline.add(`task:   ${task.name} ${task.state}${error === undefined ? '' : `: ${reason(error)}`}`)
    },
    end: ignore,
    asyncStart: ignore,
    error: ignore
  })
}

/** A logger that puts what the app logs about tasks and shutdown into the timeline. */
export function timelineLogger (timeline: Timeline) {
  const ordinary = /^(incoming request|request completed|Server listening)/
  return {
    level: 'info',
    stream: {
      write (line: string): void {
        const { level, msg, reqId, task } = JSON.parse(line)
        if (ordinary.test(msg)) return
        const fields = task === undefined ? '' : ` (task ${task}, reqId ${reqId})`
        timeline.add(`log:    ${level >= 50 ? 'error: ' : ''}${msg}${fields}`)
      }
    }
  }
}
