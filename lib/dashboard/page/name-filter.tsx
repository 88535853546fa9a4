import { useEffect, useRef, useState } from 'preact/hooks'
import { replaceHash, type Route, tasksHash } from './route.js'

/** What is typed on is looked for once. */
const PAUSE_MS = 300

/** Shows only the tasks of one name. */
export function NameFilter ({ route: { state, name } }: { route: Extract<Route, { view: 'tasks' }> }) {
  const [text, setText] = useState(name ?? '')
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  const apply = (value: string): void => {
    clearTimeout(timer.current)
    replaceHash(tasksHash(state, value.trim() === '' ? {} : { name: value.trim() }))
  }
  useEffect(() => () => { clearTimeout(timer.current) }, [])
  // A link may have changed the name.
  useEffect(() => { setText(name ?? '') }, [name])
  return (
    <form class='filter' onSubmit={(event) => { event.preventDefault(); apply(text) }}>
      <label>Name
        <input
          type='text' autocomplete='off' spellcheck={false} placeholder='all' value={text}
          onInput={({ currentTarget: { value } }) => {
            setText(value)
            clearTimeout(timer.current)
            timer.current = setTimeout(apply, PAUSE_MS, value)
          }}
        />
      </label>
    </form>
  )
}
