import { Type } from '@sinclair/typebox'
import t from 'tap'
import { type NamedTask, type TaskSchedule, defineTask, errors, implementTask } from '../../index.js'
import { createApp } from '../support/app.js'

function scheduled (schedule: TaskSchedule, name = 'nightly'): NamedTask {
  return defineTask({ name, payload: Type.Object({ n: Type.Integer({ default: 7 }) }), schedule, handler () {} })
}

for (const [title, schedule, message] of [
  ['is no object', 'daily', 'option "schedule" must be an object, received "daily"'],
  ['has no pattern', {}, 'option "schedule.cron" must be a non-empty string, received undefined'],
  ['has an empty pattern', { cron: '' }, 'option "schedule.cron" must be a non-empty string, received ""'],
  ['has a time zone that is no text', { cron: '* * * * *', timezone: 2 }, 'option "schedule.timezone" must be a non-empty string, received 2'],
  ['has an unknown option', { cron: '* * * * *', zone: 'UTC' }, 'unknown option "schedule.zone", received "UTC"']
] as const) {
  t.test(`a schedule that ${title} is refused by defineTask`, async (t) => {
    t.throws(() => scheduled(schedule as any), { code: 'FST_BGT_INVALID_OPTIONS', message })
  })
}

for (const [title, schedule, message] of [
  ['a field that is too large', { cron: '61 * * * *' },
    'option "schedule.cron" of task "nightly" must be a cron pattern of five fields, or six with seconds, received "61 * * * *": CronPattern: Invalid value for minute: 61'],
  ['four fields', { cron: '* * * *' }, /"schedule.cron" of task "nightly" .* received "\* \* \* \*": it has another number of fields$/],
  ['seven fields', { cron: '* * * * * * *' }, /of task "nightly" .*: it has another number of fields$/],
  ['a date', { cron: '2126-01-01T00:00:00' }, /of task "nightly" .*: it has another number of fields$/],
  ['a day that no month has', { cron: '0 0 30 2 *' }, /of task "nightly" .*: it never comes$/],
  ['an unknown time zone', { cron: '0 3 * * *', timezone: 'Mars/Base' },
    'option "schedule.timezone" of task "nightly" must be an IANA time zone, received "Mars/Base": Invalid time zone specified: Mars/Base']
] as const) {
  t.test(`ready rejects a schedule with ${title}, names its task, and the app closes`, async (t) => {
    const app = await createApp(t, { tasks: [scheduled({ cron: '0 3 * * *' }, 'other'), scheduled(schedule)] })
    await t.rejects(async () => { await app.ready() }, { code: 'FST_BGT_INVALID_OPTIONS', message })
    await app.close()
  })
}

t.test('the payload of a schedule is validated when the task is registered, which registers none then', async (t) => {
  const app = await createApp(t)
  const good = scheduled({ cron: '0 3 * * *' }, 'good')
  t.throws(() => app.backgroundTasks.register(good, scheduled({ cron: '0 3 * * *', payload: { n: 'seven' } })), {
    code: 'FST_BGT_INVALID_PAYLOAD',
    message: 'option "schedule.payload" of task "nightly" does not fit: payload/n must be integer',
    cause: errors.FST_BGT_INVALID_PAYLOAD.prototype
  })
  t.same(app.backgroundTasks.schedules(), [])
  app.backgroundTasks.register(good)
  t.match(app.backgroundTasks.schedules(), [{ name: 'good' }])
  const needy = defineTask({ name: 'needy', payload: { required: ['n'] }, schedule: { cron: '0 3 * * *' }, handler () {} })
  t.throws(() => app.backgroundTasks.register(needy), { message: /of task "needy" does not fit: payload must have required property 'n'/ })
})

t.test('a wrong schedule is refused by implementTask', async (t) => {
  t.throws(() => implementTask(defineTask({ name: 'nightly', payload: {} }), { schedule: {} as any, handler () {} }), {
    code: 'FST_BGT_INVALID_OPTIONS', message: 'option "schedule.cron" must be a non-empty string, received undefined'
  })
})

t.test('a process that only stores knows the schedule of a declaration', async (t) => {
  const app = await createApp(t, { worker: false, tasks: [defineTask({ name: 'nightly', payload: {}, schedule: { cron: '0 3 * * *' } })] })
  await app.ready()
  t.match(app.backgroundTasks.schedules(), [{ name: 'nightly', nextRunAt: /T03:00:00.000Z$/ }])
})
