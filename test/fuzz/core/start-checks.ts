import type { Added } from './added.js'
import { isWanted } from './wanted.js'
import type { World } from './world.js'

/** What must hold whenever an attempt starts. */
export function checkStart (world: World, added: Added): void {
  const { task, visit, starts } = added
  const { concurrency = Infinity } = world.plan.options
  const check = (holds: boolean, problem: string): void => { if (!holds) world.report(problem, added) }
  if (task === undefined) return world.report('started before add had returned', added)

  check(task.state === 'active', `started in the state ${task.state}`)
  check(task.attempt === starts, `start ${starts} is called attempt ${task.attempt}`)
  check(starts <= added.mostAttempts, `attempt ${starts} of ${added.mostAttempts}`)
  check(!added.isCancelled, 'started after it was cancelled')
  check(!world.isClosed, 'started after close')
  const active = world.added.filter(({ via, task }) => via !== 'waitUntil' && task?.state === 'active').length
  check(active <= concurrency, `${active} tasks at once where ${concurrency} may`)
  if (!added.isInOrder) return

  if (visit !== undefined) {
    check(visit.isOver && task.response !== undefined, 'started before the response was over')
    check(isWanted(added.when, task.response), `runs for ${JSON.stringify(task.response)}`)
  }
  checkOrder(world, added, check)
}

/** Those that were added earlier have started, and no more are under way than may. */
function checkOrder (world: World, added: Added, check: (holds: boolean, problem: string) => void): void {
  const { visit } = added
  const list = world.listOf(visit).filter((other) => other.isInOrder && other.isCaptured === added.isCaptured && other.task !== undefined)
  const waiting = list.slice(0, list.indexOf(added)).filter((other) => other.starts === 0 && !other.isFinal && !other.isForgotten)
  check(waiting.length === 0, `started before ${waiting.length} that were added earlier`)
  if (visit === undefined) return
  const limit = visit.plan.wide === true ? 3 : world.plan.options.requestConcurrency ?? 1
  const running = list.filter((other) => other.starts > 0 && !other.isFinal).length
  check(running <= limit, `${running} tasks of the request under way where ${limit} may be`)
}
