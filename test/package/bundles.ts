import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { bundlers } from '../support/bundlers.js'
import { appSources, createProject, manifest, required, run, temporary } from '../support/package.js'

/** Runs a function task and a named one; with a file in the command line also a task of that. Says when it starts: once. */
const body = `
  console.log('started')
  const app = fastify()
  await app.register(backgroundTasks, { threads: { maxThreads: 1 } })
  const [,, file] = process.argv
  const tasks = [
    app.backgroundTasks.add((word) => word, 'hello'),
    app.backgroundTasks.add(defineTask({ name: 'greet', payload: { required: ['n'] }, result: { type: 'string' }, handler: ({ n }) => 'named ' + n }), { n: 1 })
  ]
  if (file !== undefined) tasks.push(app.backgroundTasks.add(defineTask({ name: 'double', payload: {}, file }), { n: 21 }))
  await app.backgroundTasks.idle()
  await app.close()
  for (const { result, error } of tasks) console.log(result ?? error.message)`

const sources = { ...appSources(body), 'double.mjs': 'export default ({ n }) => n * 2' }

const output = 'started\nhello\nnamed 1\n'
const refusal = 'tasks with a file cannot run from a bundle: ' +
  'leave the packages fastify-background-tasks and piscina out of it, as external modules\n'

const formats = [['app.mjs', 'esm'], ['app.mjs', 'cjs'], ['app.cjs', 'cjs']] as const

/** What the bundle prints, alone in its folder, without a file and with one. */
async function runAlone (t: Test, project: string, bundle: string): Promise<string[]> {
  const folder = join(temporary, `alone-${t.name.replace(/\W+/g, '-')}`)
  await mkdir(folder)
  return [await run(folder, process.execPath, bundle), await run(folder, process.execPath, bundle, join(project, 'double.mjs'))]
}

for (const [name, bundle] of Object.entries(bundlers)) {
  for (const [source, format] of formats) {
    t.test(`${name} makes ${format} of ${source} where no optional peer is installed; only file tasks do not run in it`, async (t) => {
      const project = await createProject(`bundle-${name}-${source}-${format}`, required, sources)
      const file = join(project, 'bundled', format === 'esm' ? 'entry.mjs' : 'entry.cjs')
      await bundle({ input: join(project, source), output: file, format, external: [] })
      t.same(await runAlone(t, project, file), [output, output + refusal])
    })
  }

  for (const [source, format] of [formats[0], formats[2]]) {
    t.test(`a file task runs in the ${format} bundle of ${name} that leaves the plugin out`, async (t) => {
      const project = await createProject(`external-${name}-${format}`, [...required, 'piscina'], sources)
      const file = join(project, format === 'esm' ? 'bundle.mjs' : 'bundle.cjs')
      await bundle({ input: join(project, source), output: file, format, external: [manifest.name, 'piscina'] })
      t.equal(await run(project, process.execPath, file, join(project, 'double.mjs')), `${output}42\n`)
    })

    t.test(`the ${format} bundle of ${name} that leaves only piscina out does not run once more in a thread`, async (t) => {
      const project = await createProject(`half-${name}-${format}`, [...required, 'piscina', '@opentelemetry/api'], sources)
      const file = join(project, format === 'esm' ? 'bundle.mjs' : 'bundle.cjs')
      await bundle({ input: join(project, source), output: file, format, external: ['piscina', '@opentelemetry/api'] })
      t.equal(await run(project, process.execPath, file, join(project, 'double.mjs')), output + refusal)
    })
  }
}
