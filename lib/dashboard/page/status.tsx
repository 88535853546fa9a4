import type { Course } from './lanes.js'

function toneOf (response: Course['response']): string {
  if (response === undefined) return 'pending'
  if (response.outcome === 'aborted') return 'aborted'
  return response.statusCode >= 500 ? 'broken' : response.statusCode >= 400 ? 'refused' : 'fine'
}

/** The status of a response. One that did not get out says so. */
export const Status = ({ response }: Pick<Course, 'response'>) => (
  <span class={`status ${toneOf(response)}`}>
    {response === undefined ? 'open' : response.outcome === 'aborted' ? `aborted ${response.statusCode}` : response.statusCode}
  </span>
)
