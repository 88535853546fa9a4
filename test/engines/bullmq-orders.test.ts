import type { ChildProcess } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { Agent } from 'node:http'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { defineTask } from '../../index.js'
import { bullmqEngine } from '../../lib/bullmq.mjs'
import type { OrderFate, OrderSpec } from '../fixtures/invoice-process.js'
import { createApp } from '../support/app.js'
import { spawnScript } from '../support/child.js'
import { PostgresServer, withoutPostgres } from '../support/postgres.js'
import { post } from '../support/stored-processes.js'
import { nextTurn } from '../support/turns.js'
import { until } from '../support/until.js'

/** How often a process is killed at each of the moments: more for figures, fewer for a quick answer. */
const ROUNDS = Number(process.env.CRASH_ROUNDS ?? 3)
t.setTimeout(60_000 + ROUNDS * 60_000)

const CONNECTIONS = 12
const MAX_ORDERS = 150

/** When a process is killed: by its own hand between two statements, or at any moment. */
const moments = ['before commit', 'after commit', 'any moment'] as const
/** How an order goes while no process is to be killed: most are committed. */
const fates: OrderFate[] = ['commit', 'commit', 'commit', 'rollback', 'fail']

const fixture = fileURLToPath(new URL('../fixtures/invoice-process.ts', import.meta.url))
// Without types of its own.
const { Pool } = createRequire(import.meta.url)('pg')

interface OrderProcess {
  child: ChildProcess
  port: number
  exited: Promise<unknown>
}

async function startProcess (t: Test, spec: OrderSpec): Promise<OrderProcess> {
  const child = spawnScript(fixture, [JSON.stringify(spec)], { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] })
  t.teardown(() => child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  const [message] = await Promise.race([
    once(child, 'message'), exited.then(([code, signal]) => { throw new Error(`the process ended (${signal ?? code})`) })
  ])
  return { child, port: message.port, exited }
}

/** What came of the orders: `201` taken, `409` rolled back, `503` flush has failed, `none` without a reply. */
type Replies = Record<'201' | '409' | '503' | 'none', number>

/** Takes orders on all connections until the process has been killed at a moment like this, in the middle of them. */
async function killUnderLoad ({ child, port, exited }: OrderProcess, moment: typeof moments[number], replies: Replies): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  const taken = new EventEmitter()
  const dead = new AbortController()
  let isDoomed = false
  async function work (): Promise<void> {
    while (!dead.signal.aborted) {
      const fate = isDoomed && moment !== 'any moment' ? moment : fates[Math.floor(Math.random() * fates.length)]
      const status = await post(port, { fate }, agent).catch(() => 'none' as const)
      replies[String(status) as keyof Replies]++
      if (status === 201) taken.emit('order')
      await nextTurn()
    }
  }
  const load = Promise.all(Array.from({ length: CONNECTIONS }, work))
  for (let left = 1 + Math.floor(Math.random() * MAX_ORDERS); left > 0; left--) await once(taken, 'order')
  if (moment === 'any moment') child.kill('SIGKILL')
  else isDoomed = true
  await exited
  dead.abort()
  await load
  agent.destroy()
}

t.test('after kill -9 at any moment under load there are as many tasks as orders, and they are those of the orders', { skip: withoutPostgres }, async (t) => {
  const postgres = await PostgresServer.start()
  t.teardown(() => postgres.stop())
  const pool = new Pool({ connectionString: postgres.connectionString })
  t.teardown(() => pool.end())
  await pool.query('create table orders (id text primary key)')
  const spec: OrderSpec = { postgres: postgres.connectionString, queue: 'orders', name: 'takes-orders' }
  const list = async (text: string): Promise<string[]> => (await pool.query(text)).rows.map(({ id }: { id: string }) => id)
  const replies: Replies = { 201: 0, 409: 0, 503: 0, none: 0 }
  const kills = Array.from({ length: ROUNDS }, () => moments).flat()

  let next = startProcess(t, spec)
  for (const [index, moment] of kills.entries()) {
    const process = await next
    // A process that is started now has no part in the load until this one is dead.
    if (index + 1 < kills.length) next = startProcess(t, spec)
    const takenBefore = replies[201]
    await killUnderLoad(process, moment, replies)
    // A statement that was under way at the kill may still end. So may a transaction.
    await until(async () => (await list(`select pid as id from pg_stat_activity where application_name = '${spec.name}' and state <> 'idle'`)).length === 0)
    const orders = await list('select id from orders order by id')
    const tasks = await list("select data->'payload'->>'order' as id from bullmq.job where queue = 'orders' order by 1")
    t.same(tasks, orders, `kill ${index + 1}, ${moment}: ${orders.length} orders, ${tasks.length} tasks`)
    t.ok(replies[201] > takenBefore && orders.length >= replies[201], 'what was acknowledged is there')
    t.comment(`kill ${index + 1}, ${moment}: ${orders.length} orders, ${tasks.length} tasks; replies ${JSON.stringify(replies)}`)
  }
  t.ok(replies[409] > 0 && replies[503] > 0 && replies.none > 0, 'some orders were rolled back, failed, cut off')

  const invoiced = new Set<string>()
  const invoice = defineTask({ name: 'invoice', payload: {}, handler ({ order }: any) { invoiced.add(order) } })
  const app = await createApp(t, { engine: bullmqEngine({ postgres: spec.postgres, queue: spec.queue }), tasks: [invoice] })
  await app.ready()
  const orders = await list('select id from orders order by id')
  await until(() => invoiced.size >= orders.length, 60_000)
  t.same([...invoiced].sort(), orders.sort(), 'a worker has run the task of each order')
})
