import { inspect } from 'node:util'
import t from 'tap'
import type { Task } from '../../index.js'
import { createApp } from '../support/app.js'
import { createLatch } from '../support/latch.js'
import { named } from '../support/stored-app.js'
import { turnUntil } from '../support/turns.js'

t.test('console.log of a task prints its snapshot, and makes no id', async (t) => {
  const app = await createApp(t, { history: 5 })
  const task = app.backgroundTasks.add({ name: 'resize' }, (key: string, task) => {
    task.progress({ done: 1 })
  }, 'a.png')
  t.match(inspect(task, { breakLength: Infinity, compact: 10 }), /^{ name: 'resize', state: 'waiting', attempt: 1, createdAt: '[^']*' }$/)
  await turnUntil(() => task.state === 'completed')
  const text = inspect(task)
  t.notMatch(text, /\bid\b/)
  t.ok(text.split('\n').length < 12, text)
  for (const part of ["name: 'resize'", "state: 'completed'", 'progress: { done: 1 }']) t.ok(text.includes(part), part)
  const { id } = task
  t.equal(inspect(task), inspect(task.toJSON()))
  t.ok(inspect(task).includes(`id: '${id}'`))
})

t.test('console.log of a cancelled task prints its error', async (t) => {
  const app = await createApp(t)
  const task = app.backgroundTasks.add(() => {})
  task.cancel()
  t.match(inspect(task), /error: {\s+name: 'FastifyError',\s+code: 'FST_BGT_CANCELLED',/)
})

t.test('a task that is only printed is not found by any id', async (t) => {
  const app = await createApp(t, { history: 1 })
  const first = app.backgroundTasks.add(() => {})
  const { id } = first
  const release = createLatch()
  const second = app.backgroundTasks.add(() => release.promise)
  await turnUntil(() => first.state === 'completed')
  inspect(second)
  release.resolve()
  await app.backgroundTasks.idle()
  t.match(await app.backgroundTasks.get(id), { id }, 'it takes no place in history')
})

t.test('a task within other things is printed as they are', async (t) => {
  const app = await createApp(t)
  const task = app.backgroundTasks.add(() => {})
  t.ok(inspect({ task }, { breakLength: Infinity }).startsWith('{ task: { name: '))
  t.equal(inspect([{ deep: { task } }], { depth: 1 }), '[ { deep: [Object] } ]')
})

t.test('a registered task and one that has the key of another are printed', async (t) => {
  const release = createLatch()
  const work = named(() => release.promise)
  const app = await createApp(t, { tasks: [work] })
  await app.ready()
  const tasks: Task[] = [app.backgroundTasks.add(work, {}, { key: 'k' })]
  await turnUntil(() => tasks[0]?.state === 'active')
  tasks.push(app.backgroundTasks.add(work, {}, { key: 'k' }))
  for (const task of tasks) t.equal(inspect(task), inspect(task.toJSON()))
  release.resolve()
  await app.backgroundTasks.idle()
})
