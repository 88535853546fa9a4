import t from 'tap'
import { createProject, manifest, run } from '../support/package.js'

/** What is there once the plugin, its routes and a function task have run; then what each kind of named task needs besides. */
const body = `
  const app = fastify()
  await app.register(backgroundTasks)
  await app.register(taskRoutes, { prefix: '/tasks' })
  const task = app.backgroundTasks.add(() => 'hello')
  const url = '/tasks/' + task.id
  await app.backgroundTasks.idle()
  const lines = [(await app.inject(url)).json().state]
  for (const schemas of [{ payload: {} }, { payload: {}, result: {} }]) {
    try {
      defineTask({ name: 'work', handler () {}, ...schemas })
      lines.push('defined')
    } catch ({ message }) {
      lines.push(/'(.*)'/.exec(message)[1])
    }
  }
  await app.close()
  console.log(lines.join())`

const files = {
  'app.mjs': `
    import fastify from 'fastify'
    import backgroundTasks, { defineTask } from '${manifest.name}'
    import { taskRoutes } from '${manifest.name}/routes'
    ${body}`,
  'app.cjs': `
    const fastify = require('fastify')
    const backgroundTasks = require('${manifest.name}')
    const { defineTask } = backgroundTasks
    const { taskRoutes } = require('${manifest.name}/routes')
    async function main () {
      ${body}
    }
    main()`
}

// A package that is not linked cannot be found, so what runs without it has not loaded it. Fastify has its own.
const always = ['fastify', 'fastify-plugin', '@fastify/error']

for (const [linked, printed] of [
  [[], 'completed,ajv,fast-json-stringify'],
  [['ajv'], 'completed,ajv-formats,fast-json-stringify'],
  [['ajv', 'ajv-formats'], 'completed,defined,fast-json-stringify'],
  [['ajv', 'ajv-formats', 'fast-json-stringify'], 'completed,defined,defined']
] as const) {
  t.test(`function tasks and status routes load no package for schemas, named tasks those they need: ${linked.join() || 'none'}`, async (t) => {
    const project = await createProject(`start-up-${linked.length}`, [...always, ...linked], files)
    for (const file of Object.keys(files)) t.equal(await run(project, process.execPath, file), `${printed}\n`, file)
  })
}
