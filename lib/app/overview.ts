import type { EnginePage, EngineQuery, ListedTask, TaskCounts, TaskPage, TaskQuery } from '../../types/index.js'
import { errors } from '../errors.js'
import { listQuery } from '../options/list-options.js'
import type { Services } from '../stored/services.js'
import { fromCursor, toCursor } from './list-cursor.js'
import { listProcess, withOrigin } from './process-tasks.js'

/** How many stored tasks one call of `list` looks at. */
const MAX_SCANNED = 1000

/** A page of tasks: those of this process, and then those in the engine's store. */
export async function listTasks (services: Services, given: TaskQuery): Promise<TaskPage> {
  const query = listQuery(given)
  const { limit, cursor } = query
  const place = cursor === undefined ? undefined : fromCursor({ ...query, cursor })
  const own = listProcess(services, query, limit, place)
  if (own.place !== undefined) return { tasks: own.tasks, cursor: toCursor(query, own.place), scanned: 0 }
  const left = limit - own.tasks.length
  // On a full page, only whether there are more.
  const { tasks, scanned, cursor: next } = await listStored(services, query, Math.max(1, left), place && 'cursor' in place ? place.cursor : undefined)
  if (left === 0 && (tasks.length > 0 || next !== undefined)) return { tasks: own.tasks, cursor: toCursor(query, {}), scanned }
  return { tasks: [...own.tasks, ...tasks], ...(next !== undefined && { cursor: toCursor(query, { cursor: next }) }), scanned }
}

/** The tasks in the engine's store that are not of this process. */
async function listStored (
  { census, client, history }: Services, { state, name }: TaskQuery, limit: number, start: string | undefined
): Promise<TaskPage> {
  const page: TaskPage = { tasks: [], scanned: 0 }
  if (client.engine.list === undefined || state === 'skipped') return page
  const own = new Set(census.tasks().map(({ extras }) => extras?.id))
  const where: ListedTask['where'] = client.isLocal ? 'process' : 'stored'
  let cursor = start
  let left = MAX_SCANNED
  do {
    const query = {
      state, limit: limit - page.tasks.length, scan: left, ...(name !== undefined && { name }), ...(cursor !== undefined && { cursor })
    }
    const { tasks, scanned, cursor: next } = await ask(client, query)
    for (const task of tasks) {
      const { key, ...rest } = task
      if (!own.has(task.id) && !history.has(task.id)) page.tasks.push(withOrigin({ ...rest, where }, task.reqId, key))
    }
    page.scanned += scanned
    // An engine that looks at nothing must not be asked for ever.
    left -= Math.max(1, scanned)
    cursor = next
  } while (cursor !== undefined && page.tasks.length < limit && left > 0)
  return cursor === undefined ? page : { ...page, cursor }
}

async function ask (client: Services['client'], query: EngineQuery): Promise<EnginePage> {
  try {
    return await client.ask((engine) => engine.list!(query))
  } catch (error) {
    const { cause } = error as Error
    throw cause instanceof errors.FST_BGT_INVALID_OPTIONS ? cause : error
  }
}

/** How many tasks there are in each state, here and in a store that processes share. */
export async function countTasks ({ census, client }: Services): Promise<TaskCounts> {
  const { retries, oldestWaitingMs, ...process } = census.stats()
  if (client.isLocal || client.engine.counts === undefined) return { process }
  return { process, stored: await client.ask((engine) => engine.counts!()) }
}
