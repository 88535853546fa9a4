import type { TaskQuery } from '../../types/index.js'
import { listQuery } from '../options/list-options.js'
import { Overview } from './overview.js'
import { RequestView } from './request-view.js'
import { TaskView } from './task-view.js'
import { TasksView } from './tasks-view.js'
import type { View, ViewData } from './view-data.js'

/** What a viewer asks for: the query of the stream. */
export interface ViewQuery {
  readonly view?: unknown
  readonly name?: unknown
  readonly cursor?: unknown
}

/** Makes a view when its first viewer comes. */
export type CreateView = (data: ViewData) => View

/** Reads a query. Queries of the same view have the same key. Undefined when there is no such view. */
export function readView ({ view, name, cursor }: ViewQuery): { key: string, create: CreateView } | undefined {
  if (typeof view !== 'string') return undefined
  if (view === 'overview') return { key: view, create: (data) => new Overview(data) }
  const [, kind, of = ''] = /^(tasks|task|request)\/(.+)$/s.exec(view) ?? []
  if (kind === 'task') return { key: view, create: (data) => new TaskView(data, of) }
  if (kind === 'request' && /^\d+$/.test(of)) return { key: view, create: (data) => new RequestView(data, Number(of)) }
  const query = kind === 'tasks' ? readQuery(of, name, cursor) : undefined
  return query && { key: JSON.stringify(query), create: (data) => new TasksView(data, query) }
}

function readQuery (state: string, name: unknown, cursor: unknown): TaskQuery | undefined {
  try {
    return listQuery({ state, ...(name !== undefined && name !== '' && { name }), ...(cursor !== undefined && { cursor }) } as TaskQuery)
  } catch {
    // No state, or a parameter that is given twice.
    return undefined
  }
}
