import type { TaskState } from '../../../index.js'
import type { Added } from './added.js'
import { isWanted } from './wanted.js'
import { timesOut } from './work.js'
import type { World } from './world.js'

/** What stats and size say is what the tasks say. */
export function checkCounts (world: World): void {
  // One that enters only now has a state that does not tell.
  if (world.captured !== undefined) return
  const counted = world.added.filter(({ counts }) => counts)
  const stats = world.app.backgroundTasks.stats()
  for (const state of ['waiting', 'active', 'delayed', 'completed', 'failed', 'cancelled', 'skipped'] as const) {
    const count = counted.filter(({ task }) => task!.state === state).length
    if (stats[state] !== count) world.report(`stats say ${stats[state]} ${state}, the tasks ${count}`)
  }
  if (stats.waiting === 0 && stats.oldestWaitingMs !== 0) world.report(`nothing has waited for ${stats.oldestWaitingMs} ms`)
  for (const visit of world.visits) {
    if (visit.request === undefined) continue
    const size = counted.filter((added) => added.visit === visit && !added.isFinal).length
    const said = visit.request.backgroundTasks.size
    if (said !== size) world.report(`size says ${said}, the tasks ${size}`)
  }
}

/** What `get` finds of tasks that have ended. */
export async function checkHistory (world: World): Promise<void> {
  const { history = 1000 } = world.plan.options
  const ended = world.added.filter(({ isFinal }) => isFinal)
  const ids = ended.map(({ task }) => task!.id)
  let found = 0
  for (const [index, { task, via }] of ended.entries()) {
    const snapshot = await world.app.backgroundTasks.get(ids[index]!)
    if (snapshot === undefined && ended.length <= history) world.report(`get does not know task ${index} of ${ended.length}`)
    if (snapshot === undefined) continue
    if (via !== 'registered') found++
    if (snapshot.state !== task!.state) world.report(`get says ${snapshot.state} of a task that is ${task!.state}`)
  }
  if (found > history) world.report(`get knows ${found} tasks where history is ${history}`)
}

/** What became of each task once the app is closed. */
export function checkEnds (world: World): void {
  for (const added of world.added) {
    if (added.task === undefined || added.isForgotten || (added.isCaptured && !added.isFinal)) continue
    const problem = problemOf(added) ?? problemOfResponse(added, world)
    if (problem !== undefined) world.report(problem, added)
  }
  checkRetries(world)
}

function problemOf (added: Added): string | undefined {
  const { task, starts } = added
  const { state, attempt, error } = task!
  const code = (error as { code?: unknown } | undefined)?.code
  if (!added.isFinal) return `is ${state} in the end`
  if (added.isCancelled !== (code === 'FST_BGT_CANCELLED')) return `is ${state} with ${String(code)} where a cancel had ${added.isCancelled ? 'an' : 'no'} effect`
  if (added.onErrors !== (state === 'failed' ? 1 : 0)) return `${added.onErrors} calls of onError for a task that is ${state}`
  const isLeft = code === 'FST_BGT_CLOSING'
  if (state === 'failed' ? added.errorLines !== 1 && !isLeft : added.errorLines > 0) return `${added.errorLines} error lines for a task that is ${state}`
  if (starts > 0 ? starts !== attempt : attempt !== 1) return `${starts} starts where the attempt is ${attempt}`
  if (state === 'completed' && attempt <= (added.plan.fails ?? 0)) return `completed by attempt ${attempt}, which fails`
  return added.isCancelled || isLeft ? undefined : problemOfRuns(added)
}

/** What the task says of the response is what the client has seen of it. */
function problemOfResponse ({ task, visit }: Added, { plan }: World): string | undefined {
  const response = task!.response
  if (visit === undefined || response === undefined) return
  const isSent = response.outcome === 'sent'
  const { status, plan: { reply, abort } } = visit
  if (status !== undefined && !(isSent && response.statusCode === status)) return `is told ${JSON.stringify(response)} where the client got ${status}`
  if (isSent && reply === 'broken') return 'is told that a broken stream was sent'
  // Under inject a reply is made for a client that has gone.
  if (isSent && abort === 'before' && plan.transport !== 'inject') return 'is told that a reply was sent to a client that had gone before'
}

/** Of a task that nobody has stopped. */
function problemOfRuns (added: Added): string | undefined {
  const { task, visit, starts, via } = added
  const { state, response } = task!
  const isJudged = visit !== undefined && added.when !== undefined
  const wants = isWanted(added.when, response)
  // A registered task may have been judged by the status before the response was cut off.
  const mayBeWanted = wants || (via === 'registered' && isWanted(added.when, { outcome: 'sent', statusCode: visit!.expectedStatus }))
  if (state === 'skipped') return isJudged && !wants ? (starts === 0 ? undefined : 'is skipped after it has run') : `is skipped for ${JSON.stringify(response)}`
  if (isJudged && !mayBeWanted) return `is ${state} where it wants ${added.when}`

  const expected = expectedEnd(added)
  if (expected === undefined || (expected.state === state && expected.attempts === starts)) return
  // Close makes the last error final.
  if (!added.endedBeforeClose && state === 'failed' && starts < expected.attempts) return
  return `is ${state} after ${starts} attempts where ${expected.state} after ${expected.attempts} is right`
}

/** How the task ends where nothing stops it, unless that depends on its times. */
function expectedEnd (added: Added): { state: TaskState, attempts: number } | undefined {
  const verdict = timesOut(added)
  if (verdict === 'maybe') return undefined
  const fails = verdict === 'yes' ? Infinity : added.plan.fails ?? 0
  const { mostAttempts } = added
  return fails < mostAttempts ? { state: 'completed', attempts: fails + 1 } : { state: 'failed', attempts: mostAttempts }
}

/** Each retry is counted once: those that have started, and those that were stopped before. */
function checkRetries (world: World): void {
  const counted = world.added.filter(({ counts }) => counts)
  const started = counted.reduce((sum, { starts }) => sum + Math.max(0, starts - 1), 0)
  const stopped = counted.filter(({ mostAttempts, starts }) => starts > 0 && starts < mostAttempts).length
  const { retries } = world.app.backgroundTasks.stats()
  if (retries < started || retries > started + stopped) world.report(`stats say ${retries} retries of ${started} to ${started + stopped}`)
}
