import { join } from 'node:path'
import t from 'tap'
import { bundlers } from '../support/bundlers.js'
import { appSources, createEmptyFolder, createProject, manifest, required, run } from '../support/package.js'
import { missing, runTick, ticked } from './schedules.js'

/**
 * Runs a function task and a named one; with a file in the command line also a task of that; with `tick` instead the task of
 * a tick. Says when it starts: once.
 */
const body = `
  console.log('started')
  const [,, file] = process.argv
  if (file === 'tick') {
    ${runTick}
    return
  }
  const app = fastify()
  await app.register(backgroundTasks, { threads: { maxThreads: 1 } })
  const tasks = [
    app.backgroundTasks.add((word) => word, 'hello'),
    app.backgroundTasks.add(defineTask({ name: 'greet', payload: { required: ['n'] }, result: { type: 'string' }, handler: ({ n }) => 'named ' + n }), { n: 1 })
  ]
  if (file !== undefined) tasks.push(app.backgroundTasks.add(defineTask({ name: 'double', payload: {}, file }), { n: 21 }))
  await app.backgroundTasks.idle()
  await app.close()
  for (const { result, error } of tasks) console.log(result ?? error.message)`

const sources = { ...appSources(body), 'double.mjs': 'export default ({ n }) => n * 2' }

const started = 'started\n'
const output = `${started}hello\nnamed 1\n`
const refusal = 'tasks with a file cannot run from a bundle: ' +
  'leave the packages fastify-background-tasks and piscina out of it, as external modules\n'

const [piscina, otel] = ['piscina', '@opentelemetry/api']
const whole = await createProject('whole', required, sources)
const external = await createProject('external', [...required, piscina], sources)
const half = await createProject('half', [...required, piscina, otel, 'croner'], sources)
/** Has what the bundles of `half` leave out, and nothing that they hold. */
const rest = await createProject('rest', [piscina, otel], {})

const formats = [['app.mjs', 'esm'], ['app.mjs', 'cjs'], ['app.cjs', 'cjs']] as const

for (const [name, bundle] of Object.entries(bundlers)) {
  for (const [source, format] of formats) {
    t.test(`${name} makes ${format} of ${source} where no optional peer is installed; only file tasks and schedules do not work in it`, async (t) => {
      const folder = await createEmptyFolder()
      const file = join(folder, format === 'esm' ? 'bundle.mjs' : 'bundle.cjs')
      await bundle({ input: join(whole, source), output: file, format, external: [] })
      t.equal(await run(folder, process.execPath, file), output)
      t.equal(await run(folder, process.execPath, file, join(whole, 'double.mjs')), output + refusal)
      t.equal(await run(folder, process.execPath, file, 'tick'), started + missing)
    })
  }

  for (const [source, format] of [formats[0], formats[2]]) {
    const outputIn = (folder: string): string => join(folder, `${name}-bundle.${format === 'esm' ? 'mjs' : 'cjs'}`)

    t.test(`a file task runs in the ${format} bundle of ${name} that leaves the plugin out`, async (t) => {
      const file = outputIn(external)
      await bundle({ input: join(external, source), output: file, format, external: [manifest.name, piscina] })
      t.equal(await run(external, process.execPath, file, join(external, 'double.mjs')), `${output}42\n`)
    })

    t.test(`the ${format} bundle of ${name} that leaves only optional peers out does not run once more in a thread, and holds croner where it is installed`, async (t) => {
      const file = outputIn(rest)
      await bundle({ input: join(half, source), output: file, format, external: [piscina, otel] })
      t.equal(await run(rest, process.execPath, file, join(half, 'double.mjs')), output + refusal)
      t.equal(await run(rest, process.execPath, file, 'tick'), started + ticked)
    })
  }
}
