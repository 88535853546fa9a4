import { ByName } from './by-name.js'
import type { Entries } from './entries.js'
import { Figures } from './figures.js'
import { Headline } from './headline.js'
import { Requests } from './requests.js'

interface Props {
  entries: Entries
  hasView: boolean
  status: string
}

/** What the app is doing: whether all is well, in numbers, by name, and request by request. */
export const Overview = ({ entries, hasView, status }: Props) => (
  <>
    <Headline entries={entries} status={status} />
    <Figures entries={entries} />
    {hasView && <><ByName entries={entries} /><Requests entries={entries} /></>}
  </>
)
