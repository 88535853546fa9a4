import { type Entries, entryOf } from './entries.js'
import { useNow } from './clock.js'
import { Heading } from './heading.js'
import { StateIcon } from './state-icon.js'
import { OutageWords } from './outage.js'
import { verdictOf } from './verdict.js'

const icons = { well: 'completed', look: 'delayed', bad: 'failed', unknown: 'waiting' } as const

/** Says whether all is well: the first thing that is read. */
export function Headline ({ entries, status }: { entries: Entries, status: string }) {
  const { tone, title, detail } = verdictOf(entries, status, useNow(1000))
  const store = entryOf(entries, 'store')
  if (store !== undefined) {
    return (
      <div key='outage' class='headline bad' role='alert'>
        <StateIcon state='failed' />
        <Heading>The store does not answer</Heading>
        <p><OutageWords store={store} /></p>
      </div>
    )
  }
  return (
    <div class={`headline ${tone}`}>
      <StateIcon state={icons[tone]} />
      <Heading>{title}</Heading>
      <p title={detail}>{detail}</p>
    </div>
  )
}
