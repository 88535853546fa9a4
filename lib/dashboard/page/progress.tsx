import { json } from './format.js'

/** What a task has reported: a number from 0 to 1 as a bar, anything else as it is. */
export function Progress ({ value, label }: { value: unknown, label: string }) {
  if (typeof value !== 'number' || value < 0 || value > 1) return <code class='progress'>{typeof value === 'string' ? value : json(value)}</code>
  return <span class='progress'><progress value={value} max={1} aria-label={label} /> {Math.round(value * 100)} %</span>
}
