// Background tasks as Prometheus sees them: `npx tsx examples/metrics.ts`, and `curl` what it prints.
import { tracingChannel } from 'node:diagnostics_channel'
import { setTimeout as sleep } from 'node:timers/promises'
import closeWithGrace from 'close-with-grace'
import Fastify from 'fastify'
import fp from 'fastify-plugin'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
// In an app of your own: import backgroundTasks from 'fastify-background-tasks'
import backgroundTasks, { type Task } from '../index.js'

const PRESENT = ['waiting', 'active', 'delayed'] as const
const FINAL = ['completed', 'failed', 'cancelled', 'skipped'] as const

/** GET /metrics. Counts come from `stats()` when Prometheus asks, durations from the channel around each attempt. */
const metrics = fp(async (app) => {
  const registry = new Registry()
  const registers = [registry]
  const stats = (): ReturnType<typeof app.backgroundTasks.stats> => app.backgroundTasks.stats()

  registry.registerMetric(new Gauge({
    name: 'background_tasks',
    help: 'Unfinished background tasks by state',
    labelNames: ['state'],
    registers,
    collect () { for (const state of PRESENT) this.set({ state }, stats()[state]) }
  }))
  registry.registerMetric(new Gauge({
    name: 'background_tasks_oldest_waiting_seconds',
    help: 'How long the oldest waiting task has waited',
    registers,
    collect () { this.set(stats().oldestWaitingMs / 1000) }
  }))
  registry.registerMetric(new Counter({
    name: 'background_tasks_total',
    help: 'Background tasks that have ended, by final state',
    labelNames: ['state'],
    registers,
    collect () {
      this.reset()
      for (const state of FINAL) this.inc({ state }, stats()[state])
    }
  }))
  const durations = new Histogram({
    name: 'background_task_attempt_seconds',
    help: 'Duration of attempts by task and by the state they led to',
    labelNames: ['task', 'state'],
    registers
  })

  const startTimes = new WeakMap<Task, number>()
  const ignore = (): void => {}
  const subscribers = {
    start ({ task }: { task: Task }) { startTimes.set(task, performance.now()) },
    asyncEnd ({ task }: { task: Task }) {
      const seconds = (performance.now() - (startTimes.get(task) ?? NaN)) / 1000
      durations.observe({ task: task.name, state: task.state }, seconds)
    },
    end: ignore,
    asyncStart: ignore,
    error: ignore
  }
  const channel = tracingChannel<unknown, { task: Task }>('fastify-background-tasks.run')
  channel.subscribe(subscribers)
  app.addHook('onClose', async () => { channel.unsubscribe(subscribers) })

  app.get('/metrics', async (req, reply) => reply.type(registry.contentType).send(await registry.metrics()))
})

const app = Fastify()
await app.register(backgroundTasks)
await app.register(metrics)

async function sendMail (): Promise<void> { await sleep(50) }
function alwaysFails (): void { throw new Error('no luck') }

app.post('/mails', async (req, reply) => {
  req.backgroundTasks.add(sendMail)
  req.backgroundTasks.add(alwaysFails)
  return reply.code(202).send()
})

closeWithGrace({ delay: 15_000 }, async () => { await app.close() })
const url = await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) })
console.log(`curl -X POST ${url}/mails; curl ${url}/metrics`)
