import { plural } from './format.js'
import { type Route, tasksHash } from './route.js'

interface Props {
  route: Extract<Route, { view: 'tasks' }>
  /** The cursor of the next page. */
  next: string | undefined
  scanned: number
  shown: number
}

/** The cursors of the pages on the way here; that of the first page is undefined. A list knows only the next page. */
const cameFrom = new Map<string, string | undefined>()

/** Goes from page to page. */
export function Pager ({ route: { state, name, cursor }, next, scanned, shown }: Props) {
  const open = (to: string | undefined): void => {
    location.hash = tasksHash(state, { ...name !== undefined && { name }, ...to !== undefined && { cursor: to } })
  }
  if (cursor === undefined && next === undefined) return null
  return (
    <p class='pager'>
      <button type='button' disabled={cursor === undefined} onClick={() => { open(cameFrom.get(cursor ?? '')) }}>Newer</button>
      <button
        type='button' disabled={next === undefined}
        onClick={() => {
          if (next !== undefined) cameFrom.set(next, cursor)
          open(next)
        }}
      >Older
      </button>
      <span>{plural(shown, 'task')}{scanned > shown && `, ${plural(scanned, 'task')} looked at`}</span>
    </p>
  )
}
