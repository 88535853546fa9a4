import { type Entries, entryOf } from './entries.js'
import { clockTime } from './format.js'

/** Says that the store of the engine does not answer, as long as it does not. */
export function Outage ({ entries }: { entries: Entries }) {
  const store = entryOf(entries, 'store')
  if (store === undefined) return null
  return (
    <p class='outage' role='alert'>
      <b>The store does not answer</b> since {clockTime(store.since)}: {store.error}. What is shown is of this process alone, until it is back.
    </p>
  )
}
