import { type Entries, entryOf } from './entries.js'
import { Heading } from './heading.js'
import { summaryOf } from './lanes.js'
import { Legend } from './legend.js'
import { Status } from './status.js'
import { TimeLine } from './time-line.js'
import { Ago, Exact } from './times.js'

interface Props {
  entries: Entries
  hasView: boolean
}

/** One request with its tasks on a time line. */
export function Request ({ entries, hasView }: Props) {
  const request = entryOf(entries, 'request')
  if (request === undefined) {
    return (
      <>
        <Heading>{hasView ? 'This request is not recorded' : 'Request'}</Heading>
        {hasView && <p>The latest 200 requests that add tasks are kept, and only from when somebody began to look.</p>}
      </>
    )
  }
  const { method, route, response, reqId, arrivedAt, lanes } = request
  return (
    <>
      <Heading><span class='method'>{method}</span> {route} <Status response={response} /></Heading>
      <p class='facts'>
        <span>request <code>{reqId}</code></span>
        <span>arrived <Exact at={arrivedAt} />, <Ago at={arrivedAt} /></span>
        <span>{summaryOf(request)}</span>
      </p>
      <section aria-labelledby='time-line'>
        <h2 id='time-line'>Time line</h2>
        <TimeLine lanes={lanes} response={response} hasRequest startedAt={arrivedAt} />
        <Legend />
      </section>
    </>
  )
}
