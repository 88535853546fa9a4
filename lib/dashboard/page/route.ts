import { useEffect, useState } from 'preact/hooks'
import type { TaskState } from '../../../types/index.js'
import { isState } from './states.js'

/** What the part of the URL behind the # asks for. */
export type Route =
  | { view: 'overview' }
  | { view: 'tasks', state: TaskState, name?: string, cursor?: string }
  | { view: 'task', id: string }
  | { view: 'request', number: string }

type TasksRoute = Extract<Route, { view: 'tasks' }>

function decode (text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

export function parseHash (hash: string): Route {
  const [path = '', query] = hash.replace(/^#\/?/, '').split('?', 2)
  const [view, rest = ''] = path.split('/', 2)
  if (view === 'tasks') {
    const parameters = new URLSearchParams(query)
    const [name, cursor] = [parameters.get('name'), parameters.get('cursor')]
    return { view, state: isState(rest) ? rest : 'active', ...name !== null && { name }, ...cursor !== null && { cursor } }
  }
  if (view === 'task' && rest !== '') return { view, id: decode(rest) }
  if (view === 'request' && /^\d{1,15}$/.test(rest)) return { view, number: rest }
  return { view: 'overview' }
}

const query = ({ name, cursor }: Pick<TasksRoute, 'name' | 'cursor'>): string =>
  new URLSearchParams({ ...name !== undefined && { name }, ...cursor !== undefined && { cursor } }).toString()

export function tasksHash (state: TaskState, filter: Pick<TasksRoute, 'name' | 'cursor'> = {}): string {
  const parameters = query(filter)
  return `#/tasks/${state}${parameters === '' ? '' : `?${parameters}`}`
}

export const taskHash = (id: string): string => `#/task/${encodeURIComponent(id)}`
export const requestHash = (number: number): string => `#/request/${number}`

/** What the live stream of the route is asked for: the query of its URL. */
export function streamQuery (route: Route): string {
  switch (route.view) {
    case 'overview': return new URLSearchParams({ view: 'overview' }).toString()
    case 'tasks': return [new URLSearchParams({ view: `tasks/${route.state}` }), query(route)].filter((part) => `${part}` !== '').join('&')
    case 'task': return new URLSearchParams({ view: `task/${route.id}` }).toString()
    case 'request': return new URLSearchParams({ view: `request/${route.number}` }).toString()
  }
}

/** Goes to the hash in the place of the present one: Back does not come here again. */
export function replaceHash (hash: string): void {
  history.replaceState(history.state, '', hash)
  // replaceState alone tells nobody.
  dispatchEvent(new Event('hashchange'))
}

export function useRoute (): Route {
  const [hash, setHash] = useState(location.hash)
  useEffect(() => {
    const update = (): void => { setHash(location.hash) }
    addEventListener('hashchange', update)
    return () => { removeEventListener('hashchange', update) }
  }, [])
  return parseHash(hash)
}
