/** A worker process of the demo, which tells when a task starts. It does not come to the end of one. */
import { tracingChannel } from 'node:diagnostics_channel'
import type { TaskMessage } from '../../index.js'
import { buildVideoApp } from './video-app.js'

const app = await buildVideoApp(Number(process.argv[2]), true)
tracingChannel<unknown, TaskMessage>('fastify-background-tasks.run').start.subscribe((message) => {
  process.send!(`${(message as TaskMessage).task.name} starts`)
})
await app.ready()
// The demo has ended.
process.on('disconnect', () => { process.exit() })
process.send!('ready')
