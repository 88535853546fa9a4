import { useState } from 'preact/hooks'
import type { TaskState } from '../../../types/index.js'
import { type Entries, entryOf, listedOf } from './entries.js'
import { FreshRows } from './fresh-rows.js'
import { useHeldList } from './held-list.js'
import { NoTasks } from './no-tasks.js'
import { Pager } from './pager.js'
import type { Route } from './route.js'
import { TaskRow } from './task-row.js'

interface Props {
  entries: Entries
  hasView: boolean
  route: Extract<Route, { view: 'tasks' }>
}

const headings: Record<TaskState, string[]> = {
  waiting: ['Task', 'Added', 'For', 'Attempt', 'Note'],
  active: ['Task', 'Added', 'For', 'Attempt', 'Progress'],
  delayed: ['Task', 'Added', 'For', 'Attempt', 'Next'],
  completed: ['Task', 'Ended', 'Took', 'Attempt', 'Result'],
  failed: ['Task', 'Ended', 'Took', 'Attempt', 'Error'],
  cancelled: ['Task', 'Ended', 'Took', 'Attempt', 'Reason'],
  skipped: ['Task', 'Ended', 'Took', 'Attempt', 'Note']
}

export function TaskTable ({ entries, hasView, route }: Props) {
  const list = useHeldList(listedOf(entries), ({ id }) => id)
  const [acted, setActed] = useState<ReadonlySet<string>>(new Set())
  const page = entryOf(entries, 'list')
  return (
    <>
      <FreshRows list={list} />
      <table role='table' class='tasks' aria-label='Tasks' data-list ref={list.ref as { current: HTMLTableElement | null }}>
        <thead role='rowgroup'>
          <tr role='row'>
            {headings[route.state].map((heading) => <th role='columnheader' scope='col' key={heading} class={/For|Took|Attempt/.test(heading) ? 'number' : ''}>{heading}</th>)}
            <th role='columnheader' scope='col'><span class='unseen'>Actions</span></th>
          </tr>
        </thead>
        <tbody role='rowgroup'>
          {list.rows.map(({ key, row, isGone }) => isGone && acted.has(key)
            // Whoever pressed the button knows why the row is gone. The others keep their places all the same.
            ? <tr key={key} class='space' aria-hidden='true'><td colSpan={6} /></tr>
            : <TaskRow key={key} task={row} state={route.state} isGone={isGone} onActed={() => { setActed(new Set([...acted, key])) }} />)}
          {list.rows.length === 0 && hasView && (
            <tr role='row' class='empty'><td role='cell' colSpan={6}><NoTasks route={route} scanned={page?.scanned ?? 0} hasMore={page?.cursor !== undefined} /></td></tr>
          )}
        </tbody>
      </table>
      <Pager route={route} next={page?.cursor} scanned={page?.scanned ?? 0} shown={list.rows.length} />
    </>
  )
}
