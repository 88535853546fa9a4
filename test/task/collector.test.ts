import { AsyncResource, createHook } from 'node:async_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { createApp } from '../support/app.js'
import { turnUntil } from '../support/turns.js'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

t.test('the collector does not report tasks, as it does other async resources', async (t) => {
  const types = new Map<number, string>()
  const destroyed: string[] = []
  const hook = createHook({
    init (id, type) { types.set(id, type) },
    destroy (id) { destroyed.push(types.get(id) ?? '') }
  }).enable()
  t.teardown(() => { hook.disable() })
  const app = await createApp(t)
  for (let left = 100; left > 0; left--) app.backgroundTasks.add({ retry: 1 }, () => {})
  await app.backgroundTasks.idle()
  const own = [...types.values()].filter((type) => type.startsWith('BackgroundTask'))
  t.equal(own.length, 200, 'tasks and attempts are async resources')
  // Later resources, so that the tasks are collected at the latest with the last of these.
  for (const control of ['first', 'second', 'third']) {
    Array.from({ length: 100 }, () => new AsyncResource(control))
    await turnUntil(() => {
      collect()
      return destroyed.filter((type) => type === control).length > 90
    })
  }
  t.same(destroyed.filter((type) => type.startsWith('BackgroundTask')), [])
})
