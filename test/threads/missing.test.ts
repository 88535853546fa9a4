import { register } from 'node:module'
import t from 'tap'
import { createThreadApp, fileTask } from '../support/threads.js'

register('../fixtures/hooks/missing-package.js', { parentURL: import.meta.url, data: 'piscina' })

t.test('without piscina a task with a file fails and says what to install, and the app closes', async (t) => {
  const app = await createThreadApp(t)
  const tasks = [1, 2].map((n) => app.backgroundTasks.add(fileTask('double.js'), { n }))
  const other = app.backgroundTasks.add(() => 'ran')
  await app.backgroundTasks.idle()
  for (const task of tasks) {
    t.match(task.error, {
      code: 'FST_BGT_THREAD',
      message: 'tasks with a file need the package piscina: npm install piscina',
      cause: { code: 'ERR_MODULE_NOT_FOUND' }
    })
  }
  t.equal(other.result, 'ran')
  await app.close()
})
