import type { FastifyInstance } from 'fastify'
import type { Run } from './definition.js'
import type { BackgroundTask } from '../task/task.js'
import { threadsOf } from '../threads/threads.js'

type Handler = (this: FastifyInstance, payload: unknown, task: BackgroundTask) => unknown

export function callHandler (handler: unknown): Run {
  // A change to the payload by one attempt must not reach the next.
  return (payload, task) =>
    (handler as Handler).call(task.server, task.options.retry === undefined ? payload : structuredClone(payload), task)
}

export function callFile (file: string): Run {
  return (payload, task) => threadsOf(task.server).run({ file, payload, id: task.id, name: task.name, attempt: task.attempt }, {
    signal: task.signal,
    onStart () { task.extras?.startClock?.() },
    onProgress (value) { task.progress(value) }
  })
}
