import { useMemo } from 'preact/hooks'
import type { RequestEntry } from '../view.js'
import { serverNow } from './clock.js'
import { type Entries, entryOf, requestsOf } from './entries.js'
import { duration, plural } from './format.js'
import { FreshRows } from './fresh-rows.js'
import { useHeldList } from './held-list.js'
import { endOf, isUnfinished, summaryOf } from './lanes.js'
import { requestHash } from './route.js'
import { SmallTimeLine } from './small-time-line.js'
import { Status } from './status.js'
import { Ago, Exact } from './times.js'

function RequestRow ({ request, isGone }: { request: RequestEntry, isGone: boolean }) {
  const now = isUnfinished(request) ? serverNow() - request.arrivedAt : undefined
  return useMemo(() => (
    <li class={isGone ? 'gone' : ''}>
      <a class='stretched' href={requestHash(request.number)}><b>{request.method}</b> {request.route}</a>
      <Status response={request.response} />
      <SmallTimeLine request={request} now={now ?? 0} />
      <span class='total'>{now === undefined ? duration(endOf(request, 0)) : 'runs'}</span>
      <span class='summary'>{summaryOf(request)}</span>
      <span class='when'><Ago at={request.arrivedAt} /></span>
    </li>
  ), [request, isGone, now])
}

/** The requests that have added tasks, newest first. */
export function Requests ({ entries }: { entries: Entries }) {
  const list = useHeldList(requestsOf(entries), ({ number }) => String(number))
  const since = entryOf(entries, 'page')?.since
  return (
    <section aria-labelledby='requests'>
      <h2 id='requests' tabIndex={-1}>Requests</h2>
      <FreshRows list={list} />
      <ol class='requests' data-list ref={list.ref as { current: HTMLOListElement | null }}>
        {list.rows.map(({ key, row, isGone }) => <RequestRow key={key} request={row} isGone={isGone} />)}
      </ol>
      {list.rows.length === 0 && (
        <div class='empty'>
          <p>No request has added a task since this page began to record.</p>
          <p>Each that does appears here at once, with its tasks on a small time line. Open it to see what ran when, and why.</p>
        </div>
      )}
      {since !== undefined && (
        <p class='since'>
          Recorded since <Exact at={since} />, the latest {plural(200, 'request')}. Nothing is recorded while nobody looks.
        </p>
      )}
    </section>
  )
}
