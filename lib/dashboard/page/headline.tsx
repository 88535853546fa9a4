import type { Entries } from './entries.js'
import { useNow } from './clock.js'
import { Heading } from './heading.js'
import { StateIcon } from './state-icon.js'
import { verdictOf } from './verdict.js'

const icons = { well: 'completed', look: 'delayed', bad: 'failed', unknown: 'waiting' } as const

/** Says whether all is well: the first thing that is read. */
export function Headline ({ entries, status }: { entries: Entries, status: string }) {
  const { tone, title, detail } = verdictOf(entries, status, useNow(1000))
  return (
    <div class={`headline ${tone}`}>
      <StateIcon state={icons[tone]} />
      <Heading>{title}</Heading>
      <p title={detail}>{detail}</p>
    </div>
  )
}
