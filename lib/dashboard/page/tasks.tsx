import type { Entries } from './entries.js'
import { entryOf } from './entries.js'
import { Heading } from './heading.js'
import { NameFilter } from './name-filter.js'
import type { Route } from './route.js'
import { StateLinks } from './state-links.js'
import { TaskTable } from './task-table.js'

interface Props {
  entries: Entries
  hasView: boolean
  route: Extract<Route, { view: 'tasks' }>
}

/** A page of the tasks in one state. */
export function Tasks ({ entries, hasView, route }: Props) {
  const { state, name, cursor } = route
  return (
    <>
      <Heading>Tasks</Heading>
      <div class='tools'>
        <StateLinks current={route} counts={entryOf(entries, 'counts')} />
        <NameFilter key={state} route={route} />
      </div>
      <TaskTable key={`${state} ${cursor ?? ''} ${name ?? ''}`} entries={entries} hasView={hasView} route={route} />
    </>
  )
}
