import { captureTasks } from '../../../lib/testing.js'
import { nextTurn } from '../../support/turns.js'
import { createApp } from './app.js'
import { checkCounts, checkEnds, checkHistory } from './checks.js'
import { Clock } from './clock.js'
import { closeWorld } from './closing.js'
import { clearCaptured, endCaptured, restore, runCaptured } from './captured.js'
import { type Network, networks } from './network.js'
import { pump, rest } from './pump.js'
import type { Plan, RequestPlan, Step } from './plan.js'
import { Visit } from './visit.js'
import { World } from './world.js'

/** Long enough for whatever a task might still do. */
const TICKS_AFTER = 40

/** Does what the plan says, and rejects with all rules that were broken. */
export async function runPlan (plan: Plan): Promise<void> {
  const clock = new Clock(plan.clockStep)
  const world = new World(plan, clock)
  const network = networks[plan.transport]()
  const onRejection = (error: unknown): void => { world.report(`unhandled rejection: ${String(error)}`) }
  process.on('unhandledRejection', onRejection)
  try {
    world.app = await createApp(world, network)
    await runSteps(world, network)
  } catch (error) {
    world.report(String(error))
  } finally {
    network.close()
    // It is closed already, unless a rule was broken.
    world.app?.close().catch(() => {})
    clock.restore()
    process.off('unhandledRejection', onRejection)
  }
  if (world.broken.length > 0) throw new Error(world.broken.join('\n'))
}

async function runSteps (world: World, network: Network): Promise<void> {
  const { clock } = world
  let closed: Promise<void> | undefined
  for (const step of world.plan.steps) {
    if (step.do === 'close' && closed === undefined) {
      await endCaptured(world)
      closed = closeWorld(world)
    } else await runStep(world, network, step)
    checkCounts(world)
  }
  if (closed === undefined) {
    await endRun(world)
    await endCaptured(world)
    closed = closeWorld(world)
  }
  await pump(world, 'close', closed)
  await rest(world)
  world.release()
  for (let tick = 0; tick < TICKS_AFTER; tick++) await clock.tick()
  checkCounts(world)
  checkEnds(world)
}

/** All tasks end by themselves. */
async function endRun (world: World): Promise<void> {
  await rest(world)
  const { app } = world
  let isIdle = false
  const idle = app.backgroundTasks.idle().then(() => {
    isIdle = true
    if (world.unfinished > 0) world.report(`idle with ${world.unfinished} unfinished tasks`)
  })
  await pump(world, 'idle', idle, () => { world.release() })
  if (!isIdle) return
  await endCaptured(world)
  checkCounts(world)
  await checkHistory(world)
}

async function runStep (world: World, network: Network, step: Step): Promise<void> {
  const { added, visits, app } = world
  switch (step.do) {
    case 'request': return send(world, network, step.request)
    case 'add': return world.add(step.task)
    case 'turns':
      for (let turn = 0; turn < step.n; turn++) await nextTurn()
      return
    case 'ticks':
      for (let tick = 0; tick < step.n; tick++) await world.clock.tick()
      return
    case 'cancel': return added.length === 0 ? undefined : world.cancel(added[step.n % added.length]!)
    case 'cancelById': return added.length === 0 ? undefined : await world.cancelById(added[step.n % added.length]!)
    case 'clear': return visits.length === 0 ? undefined : world.clear(visits[step.n % visits.length]!)
    case 'idle': return idleFor(world, step.n + 1)
    case 'release': return world.release()
    case 'rest': return await rest(world)
    case 'close': return
  }
  if (world.isClosing) return
  if (step.do === 'capture') world.capture ??= captureTasks(app)
  else if (step.do === 'runCaptured') runCaptured(world)
  else if (step.do === 'clearCaptured') clearCaptured(world)
  else restore(world)
}

function idleFor (world: World, timeout: number): void {
  const { app, clock } = world
  const begun = clock.now
  app.backgroundTasks.idle({ timeout }).then(() => {
    if (world.unfinished > 0) world.report(`idle with ${world.unfinished} unfinished tasks`)
  }, (error) => {
    if (error.code !== 'FST_BGT_IDLE_TIMEOUT' || clock.now < begun + timeout) world.report(`idle of ${timeout} ms: ${String(error)}`)
  })
}

/** Sends a request, and has its client go as the plan says. Nothing waits for it. */
function send (world: World, network: Network, plan: RequestPlan): void {
  const visit = new Visit(world.visits.length, plan)
  world.visits.push(visit)
  const url = `/${plan.wide === true ? 'wide' : 'narrow'}/${visit.index}`
  network.send(world.app, plan.connection ?? visit.index + 10, url, visit.mark).then(async ({ status, abort }) => {
    if (plan.abort !== undefined) visit.begun.promise.then(abort)
    visit.status = await status
  }).catch(() => {}).finally(() => { visit.isAnswered = true })
}
