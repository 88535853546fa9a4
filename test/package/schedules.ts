import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { bundlers } from '../support/bundlers.js'
import { appSources, createProject, required, run, temporary } from '../support/package.js'

/** Runs the task of one tick, or says why it cannot. */
const body = `
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

const sources = appSources(body)

const missing = 'option "schedule" of task "tick" needs the package croner: npm install croner\n'

for (const app of ['app.mjs', 'app.cjs']) {
  t.test(`${app} has a task run at a tick, and is told what to install where croner is missing`, async (t) => {
    const project = await createProject(`schedule-${app}`, [...required, 'croner'], sources)
    t.equal(await run(project, process.execPath, app), 'ticked\n')
    t.equal(await run(await createProject(`no-schedule-${app}`, required, sources), process.execPath, app), missing)
  })
}

for (const [name, bundle] of Object.entries(bundlers)) {
  for (const [source, format] of [['app.mjs', 'esm'], ['app.cjs', 'cjs']] as const) {
    t.test(`the ${format} bundle of ${name} holds croner where it is installed, and says what to install where it is not`, async (t) => {
      for (const [linked, output] of [[['croner'], 'ticked\n'], [[], missing]] as const) {
        const title = `schedule-${name}-${format}-${linked.length}`
        const project = await createProject(title, [...required, ...linked], sources)
        const alone = join(temporary, `alone-${title}`)
        await mkdir(alone)
        const file = join(alone, format === 'esm' ? 'bundle.mjs' : 'bundle.cjs')
        await bundle({ input: join(project, source), output: file, format, external: [] })
        t.equal(await run(alone, process.execPath, file), output)
      }
    })
  }
}
