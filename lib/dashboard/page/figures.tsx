import type { TaskState } from '../../../types/index.js'
import { entryOf, type Entries } from './entries.js'
import { count, duration, rate } from './format.js'
import { tasksHash } from './route.js'
import { Sparkline } from './sparkline.js'
import { StateIcon } from './state-icon.js'
import { completedPerSecond, longestDelay } from './verdict.js'

const large: TaskState[] = ['waiting', 'active', 'delayed', 'failed']
const small: TaskState[] = ['completed', 'cancelled', 'skipped']

/** The numbers of the whole app: states as links to their tasks, and the rates of the last minute. */
export function Figures ({ entries }: { entries: Entries }) {
  const counts = entryOf(entries, 'counts')
  const rates = entryOf(entries, 'rates')
  const { completed, delayMs } = rates ?? { completed: [], delayMs: [] }
  const perSecond = rates === undefined ? '–' : rate(completedPerSecond(completed))
  const delay = rates === undefined ? '–' : duration(longestDelay(delayMs))
  const highest = Math.max(0, ...completed)
  return (
    <div class='figures'>
      {large.map((state) => (
        <a key={state} class={`figure ${state} ${counts?.[state] === 0 ? 'zero' : ''}`} href={tasksHash(state)}>
          <span class='label'><StateIcon state={state} />{state}</span>{' '}
          <span class='value'>{counts === undefined ? '–' : count(counts[state])}</span>
        </a>
      ))}
      <div class='figure'>
        <span class='label'>oldest waiting</span>
        <span class='value'>{counts === undefined || counts.waiting === 0 ? '–' : duration(counts.oldestWaitingMs)}</span>
      </div>
      <div class='figure wide'>
        <span class='label'>per second</span>
        <span class='value'>{perSecond}</span>
        <Sparkline class='completed' values={completed} full={4} label={`Tasks completed per second in the last minute: now ${perSecond}, at most ${highest}`} />
      </div>
      <div class='figure wide'>
        <span class='label'>event-loop delay</span>
        <span class='value'>{delay}</span>
        <Sparkline class='delay' values={delayMs} full={20} label={`Event-loop delay in the last minute: now ${delay}, at most ${duration(Math.max(0, ...delayMs))}`} />
      </div>
      <p class='others'>
        {small.map((state) => (
          <a key={state} href={tasksHash(state)}><StateIcon state={state} />{state} <b>{counts === undefined ? '–' : count(counts[state])}</b></a>
        ))}
      </p>
    </div>
  )
}
