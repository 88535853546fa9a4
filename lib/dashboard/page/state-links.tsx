import type { CountsEntry } from '../view.js'
import { count } from './format.js'
import { type Route, tasksHash } from './route.js'
import { StateIcon } from './state-icon.js'
import { states } from './states.js'

interface Props {
  current: Extract<Route, { view: 'tasks' }>
  counts: CountsEntry | undefined
}

/** A link for each state. The name that is filtered by stays. */
export const StateLinks = ({ current, counts }: Props) => (
  <nav class='states' aria-label='States'>
    {states.map((state) => (
      <a key={state} href={tasksHash(state, current.name === undefined ? {} : { name: current.name })} aria-current={state === current.state ? 'page' : undefined}>
        <StateIcon state={state} />{state} <b>{counts === undefined ? '' : count(counts[state])}</b>
      </a>
    ))}
  </nav>
)
