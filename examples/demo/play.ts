import assert from 'node:assert/strict'
import { buildApp } from '../app.js'
import { startSmtpServer } from '../smtp-server.js'
import type { Client, Reply } from './client.js'
import { burst } from './scenes/burst.js'
import { endlessLoop } from './scenes/endless-loop.js'
import { hangUp } from './scenes/hang-up.js'
import { killWorker } from './scenes/kill-worker.js'
import { order } from './scenes/order.js'
import { report } from './scenes/report.js'
import { shutDown } from './scenes/shut-down.js'
import { signUp } from './scenes/sign-up.js'
import { Timeline } from './timeline.js'
import { unreachableUrl } from './unreachable-url.js'
import { timelineLogger, watchRequests, watchTasks } from './watch.js'
import type { Workplace } from './workplace.js'

/** How the client speaks of a reply. */
function describe ({ status, ms, body }: Reply): string {
  if (status === 0) return `hangs up after ${ms} ms`
  const { state } = body === '' ? {} : JSON.parse(body)
  return `${status} after ${ms} ms${state === undefined ? '' : `, ${state}`}`
}

/** The first requests of a process are slower than all others, and not what the demo is about. */
async function warmUp (client: Client, url: string): Promise<void> {
  for (let i = 0; i < 30; i++) await client.post(`${url}/signup`, { email: 'nobody' })
}

/** Plays the scenes, one after the other, and checks what happens in them. */
export async function play (client: Client, workplace: Promise<Workplace | undefined>): Promise<void> {
  const timeline = new Timeline()
  const { screen } = timeline
  screen.title('A Fastify app, an SMTP server, and a client in a process of its own')
  screen.lanes()
  const smtp = await startSmtpServer(({ subject }) => { timeline.add('app', `the SMTP server gets "${subject}"`) })
  const app = await buildApp({
    smtp: smtp.address,
    warehouseUrl: await unreachableUrl(),
    logger: timelineLogger(timeline)
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const place = await workplace
  await warmUp(client, url)
  watchRequests(timeline, client, describe)
  const endWatch = watchTasks(timeline)
  const stage = { app, url, client, timeline }

  await signUp(stage)
  await order(stage)
  await report(stage)
  await hangUp(stage)
  await endlessLoop(stage)
  await killWorker(stage, place)
  // A thousand lines about tasks that block would tell nothing.
  endWatch()
  await burst(stage)
  watchTasks(timeline)
  await shutDown(stage)
  await smtp.close()
  await client.close()

  const { completed, failed, skipped } = app.backgroundTasks.stats()
  assert.deepEqual({ completed, failed, skipped }, { completed: 5, failed: 1, skipped: 1 })
  screen.heading('Everything happened as it should.')
  screen.note('npm start serves the app of the scenes 1 to 4 and 8: try it with curl.')
}
