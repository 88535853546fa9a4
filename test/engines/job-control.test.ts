import t from 'tap'
import { JobControl } from '../../lib/engines/bullmq/job-control.js'
import type { TaskJob } from '../../lib/engines/bullmq/jobs.js'

const createControl = (): JobControl => new JobControl({ attemptsMade: 1 } as TaskJob)

t.test('a listener hears of a cancellation once, and the signal aborts with the same reason', async (t) => {
  const control = createControl()
  t.equal(control.attempt, 2)
  const { onCancel, signal } = control
  const heard: unknown[] = []
  onCancel((reason) => { heard.push(reason) })
  control.cancel('not needed')
  control.cancel('again')
  t.same(heard, ['not needed'])
  t.ok(signal.aborted)
  t.equal(signal.reason, 'not needed')
  t.equal(control.signal, signal)
})

t.test('whoever asks after a cancellation hears of it at once', async (t) => {
  const control = createControl()
  control.cancel('not needed')
  const heard: unknown[] = []
  control.onCancel((reason) => { heard.push(reason) })
  t.same(heard, ['not needed'])
  t.equal(control.signal.reason, 'not needed')
})
