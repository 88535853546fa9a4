import { render } from 'preact'
import { useEffect, useLayoutEffect, useReducer, useRef, useState } from 'preact/hooks'
import { Header } from './header.js'
import { focusHeading } from './heading.js'
import { LiveStream } from './live-stream.js'
import { onNotice } from './notice.js'
import { Outage } from './outage.js'
import { Overview } from './overview.js'
import { Request } from './request.js'
import { streamQuery, useRoute } from './route.js'
import { Task } from './task.js'
import { Tasks } from './tasks.js'

/** What has come of the last action. */
function Notice () {
  const [text, setText] = useState('')
  useEffect(() => onNotice(setText), [])
  return <div class='notice' aria-live='polite'>{text !== '' && <p>{text}</p>}</div>
}

function App () {
  const route = useRoute()
  const [, update] = useReducer((tick: number, _: unknown) => tick + 1, 0)
  const [stream] = useState(() => new LiveStream(() => { update(undefined) }))
  const query = streamQuery(route)
  useEffect(() => { stream.open(query) }, [query])

  // States, filters and pages are one view: the focus stays where it is, and the list begins at its top.
  const place = route.view === 'task' ? route.id : route.view === 'request' ? route.number : route.view
  const last = useRef({ place, query })
  // Before the browser shows the view: a key that is pressed then finds the focus there.
  useLayoutEffect(() => {
    if (last.current.query !== query) scrollTo(0, 0)
    if (last.current.place !== place) focusHeading()
    last.current = { place, query }
  }, [place, query])

  const { entries, hasView } = stream.read(query)
  return (
    <>
      <Header route={route} stream={stream} />
      <main class={stream.status === 'live' ? '' : 'stale'} key={place}>
        {route.view !== 'overview' && <Outage entries={entries} />}
        {route.view === 'overview' && <Overview entries={entries} hasView={hasView} status={stream.status} />}
        {route.view === 'tasks' && <Tasks entries={entries} hasView={hasView} route={route} />}
        {route.view === 'task' && <Task entries={entries} hasView={hasView} id={route.id} />}
        {route.view === 'request' && <Request entries={entries} hasView={hasView} />}
      </main>
      <Notice />
    </>
  )
}

const page = document.getElementById('page')
if (page !== null) render(<App />, page)
