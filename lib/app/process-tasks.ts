import { SCHEDULE_KEY } from '../stored/tick.js'
import type { ListedTask, TaskQuery } from '../../types/index.js'
import { isFinal } from '../base/snapshot.js'
import type { Census } from '../task/census.js'
import type { History } from '../task/history.js'
import type { BackgroundTask } from '../task/task.js'
import type { ListPlace } from './list-cursor.js'

interface ProcessServices {
  readonly census: Census
  readonly history: History
}

/** How the tasks of one kind are listed. A lower rank comes first. */
interface Kind<Item> {
  rankOf (item: Item): number
  /** Undefined for a task whose id was never read. */
  idOf (item: Item): string | undefined
  show (item: Item): Omit<ListedTask, 'where'>
}

const UNFINISHED: Kind<BackgroundTask> = {
  rankOf: ({ createdAt }) => createdAt,
  idOf: ({ extras }) => extras?.id,
  show: showUnfinished
}

type Ended = ReturnType<History['finished']>[number]

const ENDED: Kind<Ended> = {
  rankOf: ({ snapshot }) => -Date.parse(snapshot.finishedAt!),
  idOf: ({ snapshot }) => snapshot.id,
  show: ({ snapshot, reqId, key }) => withOrigin(structuredClone(snapshot), reqId, key)
}

/** The tasks of this process that match the query, in their order, after the place. At most `limit` of them, and the place of the last. */
export function listProcess (
  { census, history }: ProcessServices, { state, name }: TaskQuery, limit: number, after?: ListPlace
): { tasks: ListedTask[], place?: ListPlace } {
  const fits = (task: { state: string, name: string }): boolean => task.state === state && (name === undefined || task.name === name)
  return isFinal(state)
    ? page(history.finished().filter(({ snapshot }) => fits(snapshot)), ENDED, limit, after)
    : page(census.tasks().filter(fits), UNFINISHED, limit, after)
}

/** `place` is given where more tasks follow. */
function page<Item> (items: Item[], kind: Kind<Item>, limit: number, after?: ListPlace): { tasks: ListedTask[], place?: ListPlace } {
  items.sort((a, b) => kind.rankOf(a) - kind.rankOf(b))
  const start = after === undefined ? 0 : startAfter(items, kind, after)
  const shown = items.slice(start, start + limit)
  const tasks = shown.map((item): ListedTask => ({ ...kind.show(item), where: 'process' }))
  if (start + limit >= items.length) return { tasks }
  return { tasks, place: { rank: kind.rankOf(shown.at(-1)!), id: tasks.at(-1)!.id } }
}

/** The index of the first item after the place. Where the task of the place is gone, tasks of the same rank come once more. */
function startAfter<Item> (items: Item[], { rankOf, idOf }: Kind<Item>, place: ListPlace): number {
  if (!('rank' in place)) return items.length
  const known = items.findIndex((item) => idOf(item) === place.id)
  if (known >= 0) return known + 1
  const next = items.findIndex((item) => rankOf(item) >= place.rank)
  return next < 0 ? items.length : next
}

/** The task that has ended in this process under the id. */
export function showEnded (history: History, id: string): ListedTask | undefined {
  const ended = history.findFinished(id)
  return ended && { ...ENDED.show(ended), where: 'process' }
}

export function showUnfinished (task: BackgroundTask): Omit<ListedTask, 'where'> {
  const snapshot = withOrigin(structuredClone(task.toJSON()), task.owner.reqId, task.key)
  const { epochMs, nextAt } = task.ownExtras()
  if (task.state !== 'delayed' || nextAt === undefined) return snapshot
  return { ...snapshot, nextRunAt: new Date(epochMs! + nextAt).toISOString() }
}

/** The snapshot with the request and the key of its task, except for the key of schedules, which nobody has given. */
export function withOrigin<Snapshot extends object> (snapshot: Snapshot, reqId: string | undefined, key: string | undefined): Snapshot {
  return { ...snapshot, ...(reqId !== undefined && { reqId }), ...(key !== undefined && key !== SCHEDULE_KEY && { key }) }
}
