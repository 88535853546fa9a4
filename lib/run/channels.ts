import { channel, tracingChannel } from 'node:diagnostics_channel'
import type { TaskMessage } from '../../types/index.js'

/** Published when a task is added. */
export const addChannel = channel('fastify-background-tasks.add')

/** Published around each attempt. */
export const runChannel = tracingChannel<unknown, TaskMessage>('fastify-background-tasks.run')

/** Published when a response whose request added tasks is over. */
export const responseChannel = channel('fastify-background-tasks.response')

/** Whether messages about the tasks of a request are published after its response is over. */
export function needRequest (): boolean {
  return addChannel.hasSubscribers || runChannel.hasSubscribers
}
