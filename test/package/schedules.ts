import t from 'tap'
import { appSources, createProject, required, run } from '../support/package.js'

/** Runs the task of one tick, or says why it cannot. */
export const runTick = `
  const app = fastify()
  const ticked = new Promise((resolve) => {
    const tick = defineTask({ name: 'tick', payload: {}, schedule: { cron: '* * * * * *', payload: { word: 'ticked' } }, handler: resolve })
    app.register(backgroundTasks, { tasks: [tick] })
  })
  app.get('/', async () => 'ok')
  try {
    await app.listen({ host: '127.0.0.1', port: 0 })
    console.log((await ticked).word)
  } catch ({ message }) {
    console.log(message)
  }
  await app.close()`

const sources = appSources(runTick)

export const ticked = 'ticked\n'
export const missing = 'option "schedule" of task "tick" needs the package croner: npm install croner\n'

for (const app of ['app.mjs', 'app.cjs']) {
  t.test(`${app} has a task run at a tick, and is told what to install where croner is missing`, async (t) => {
    const project = await createProject(`schedule-${app}`, [...required, 'croner'], sources)
    t.equal(await run(project, process.execPath, app), ticked)
    t.equal(await run(await createProject(`no-schedule-${app}`, required, sources), process.execPath, app), missing)
  })
}
