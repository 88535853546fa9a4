import type { Stage } from '../stage.js'
import type { Workplace } from '../workplace.js'

export async function killWorker ({ client, timeline }: Stage, workplace: Workplace | undefined): Promise<void> {
  timeline.scene('kill -9 ends a worker. Another one runs its task again.')
  if (workplace === undefined) return timeline.screen.note('skipped: this machine has no redis-server')
  const { redis, worker } = workplace
  // The modules behind it are the largest of the demo, and for this scene only.
  const { buildVideoApp } = await import('../video-app.js')
  const web = await buildVideoApp(redis.port, false)
  const url = await web.listen({ host: '127.0.0.1', port: 0 })

  worker.on('message', (text: string) => { timeline.add('app', `worker process: ${text}`) })
  const { location } = await client.post(`${url}/videos`, {})
  const followed = client.follow(`${url}${location}/events`, () => {})
  await timeline.until('app: worker process: renderVideo starts')
  worker.kill('SIGKILL')
  timeline.add('app', 'worker process: kill -9', 'bad')
  // In this process, because a new one would take its time to start.
  const other = await buildVideoApp(redis.port, true)
  await other.ready()
  timeline.add('app', 'another worker is ready')
  await followed
  await timeline.until('client: 200 after ')
  timeline.expect(
    'client: 202 after ',
    'app: worker process: renderVideo starts',
    'app: worker process: kill -9',
    'app: another worker is ready',
    'app: renderVideo starts',
    'app: renderVideo completed'
  )
  for (const app of [web, other]) await app.close()
  await redis.stop()
}
