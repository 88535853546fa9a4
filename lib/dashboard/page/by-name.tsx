import { useMemo } from 'preact/hooks'
import type { TaskState } from '../../../types/index.js'
import type { NameEntry } from '../view.js'
import { type Entries, namesOf } from './entries.js'
import { count, duration } from './format.js'
import { FreshRows } from './fresh-rows.js'
import { useHeldList } from './held-list.js'
import { tasksHash } from './route.js'
import { isEnded, kindWords, states } from './states.js'
import { Ago } from './times.js'

/** Where its tasks are now, in the state that asks most for a look. */
function stateToShow ({ counts }: NameEntry): TaskState {
  const unfinished = states.find((state) => !isEnded(state) && counts[state] > 0)
  return counts.failed > 0 ? 'failed' : unfinished ?? 'completed'
}

function NameRow ({ entry, isGone }: { entry: NameEntry, isGone: boolean }) {
  return useMemo(() => (
    <tr role='row' class={isGone ? 'gone' : ''}>
      <th role='rowheader' scope='row' title={entry.name}><a href={tasksHash(stateToShow(entry), { name: entry.name })}>{entry.name}</a></th>
      <td role='cell' class='runs'>{kindWords[entry.kind]}, {entry.where}</td>
      {states.map((state) => (
        <td role='cell' key={state} class={`number ${state} ${entry.counts[state] === 0 ? 'zero' : ''}`} data-label={state}>{count(entry.counts[state])}</td>
      ))}
      <td role='cell' class='number' data-label='typical'>{entry.typicalMs === undefined ? '–' : duration(entry.typicalMs)}</td>
      <td role='cell' class='number' data-label='slowest'>{entry.slowestMs === undefined ? '–' : duration(entry.slowestMs)}</td>
      <td role='cell' class='failure' title={entry.lastFailure?.message ?? ''}>
        {entry.lastFailure !== undefined && <><Ago at={entry.lastFailure.at} /> <span>{entry.lastFailure.message}</span></>}
      </td>
    </tr>
  ), [entry, isGone])
}

/** What each name of a task has done since the recording began. */
export function ByName ({ entries }: { entries: Entries }) {
  const list = useHeldList(namesOf(entries), ({ name }) => name)
  return (
    <section>
      <h2 id='by-name' tabIndex={-1}>By name</h2>
      <FreshRows list={list} />
      <table role='table' class='names' aria-labelledby='by-name' data-list ref={list.ref as { current: HTMLTableElement | null }}>
        <thead role='rowgroup'>
          <tr role='row'>
            <th role='columnheader' scope='col'>Name</th>
            <th role='columnheader' scope='col'>Runs</th>
            {states.map((state) => <th role='columnheader' scope='col' class='number' key={state}>{state}</th>)}
            <th role='columnheader' scope='col' class='number'>Typical</th>
            <th role='columnheader' scope='col' class='number'>Slowest</th>
            <th role='columnheader' scope='col'>Last failure</th>
          </tr>
        </thead>
        <tbody role='rowgroup'>
          {list.rows.map(({ key, row, isGone }) => <NameRow key={key} entry={row} isGone={isGone} />)}
          {list.rows.length === 0 && (
            <tr role='row' class='empty'>
              <td role='cell' colSpan={12}>
                <p>No task has run since this page began to record.</p>
                <p>Each name of a task gets a row here: where it runs, how often, how long, and how it failed last.</p>
              </td>
            </tr>
          )}
        </tbody>
      </table>
    </section>
  )
}
