import { focusHeading } from './heading.js'
import type { LiveStream } from './live-stream.js'
import { type Route, taskHash, tasksHash } from './route.js'

const current = (is: boolean): 'page' | undefined => is ? 'page' : undefined

function Search () {
  return (
    <form
      role='search' class='search' onSubmit={(event) => {
        event.preventDefault()
        const input = event.currentTarget.elements.namedItem('id') as HTMLInputElement
        const id = input.value.trim()
        if (id !== '') location.hash = taskHash(id)
        input.value = ''
      }}
    >
      <input type='search' name='id' aria-label='Find by id' placeholder='Find by id' autocomplete='off' spellcheck={false} />
    </form>
  )
}

/** Where one may go, and whether what is seen is live. */
export function Header ({ route, stream }: { route: Route, stream: LiveStream }) {
  return (
    <header>
      <a class='skip' href={location.hash} onClick={(event) => { event.preventDefault(); focusHeading() }}>Skip to the content</a>
      <b class='brand'>Background tasks</b>
      <nav aria-label='Views'>
        <a href='#/' aria-current={current(route.view === 'overview')}>Overview</a>
        <a href={tasksHash('active')} aria-current={current(route.view === 'tasks')}>Tasks</a>
      </nav>
      <Search />
      <p class={`live ${stream.status === 'live' ? 'on' : 'off'}`}>
        <span role='status'>{stream.status}</span>
        {stream.isRefused && <button type='button' class='small' onClick={() => { stream.retry() }}>Try again</button>}
      </p>
    </header>
  )
}
