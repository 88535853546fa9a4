import type { StoreEntry } from '../view.js'
import { type Entries, entryOf } from './entries.js'
import { clockTime } from './format.js'

export const OutageWords = ({ store }: { store: StoreEntry }) =>
  <>Since {clockTime(store.since)}: {store.error}. What is shown is of this process alone, until it is back.</>

/** Says that the store of the engine does not answer, as long as it does not. The overview says it in its headline. */
export function Outage ({ entries }: { entries: Entries }) {
  const store = entryOf(entries, 'store')
  return store === undefined ? null : <p class='outage' role='alert'><b>The store does not answer.</b> <OutageWords store={store} /></p>
}
