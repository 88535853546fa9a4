import { json } from './format.js'

/** A JSON value with its title. Its text can be scrolled to by keyboard. */
export function Value ({ title, value }: { title: string, value: unknown }) {
  const id = title.toLowerCase()
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      <pre tabIndex={0} aria-labelledby={id} role='group'>{json(value)}</pre>
    </section>
  )
}
