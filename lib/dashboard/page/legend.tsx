/** What the marks of a time line mean. */
export const Legend = () => (
  <ul class='legend' aria-label='Marks of the time line'>
    <li><i class='before' />until the response: no function runs</li>
    <li><i class='bar waiting' />waiting</li>
    <li><i class='bar delayed' />delayed</li>
    <li><i class='bar attempt active' />active</li>
    <li><i class='bar attempt completed' />completed</li>
    <li><i class='bar attempt failed' />failed</li>
    <li><i class='bar attempt cancelled' />cancelled</li>
  </ul>
)
