import { readFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import t from 'tap'
import ts from 'typescript'
import './package/bundles.js'
import './package/links.js'
import './package/schedules.js'
import './package/start-up.js'
import { compileProject, createHost } from './support/compiler.js'
import { bin, createProject, dependencies, files, manifest, peers, required, run, tarball, temporary, unpacked } from './support/package.js'

const targets = Object.values(manifest.exports)
  .flatMap(({ import: esm, require: cjs }) => [esm.types, esm.default, cjs.types, cjs.default])
  .map((target) => target.replace('./', ''))

const addAndWait = `
  await app.register(backgroundTasks)
  const ran = []
  app.get('/', async (req) => {
    req.backgroundTasks.add((word) => { ran.push(word) }, 'hello')
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  await app.close()
  console.log(ran.join())`

const typed = `
import fastify from 'fastify'
import type { FastifyReply, FastifyRequest } from 'fastify'
import backgroundTasks from '${manifest.name}'

const ran: string[] = []

async function handler (req: FastifyRequest, reply: FastifyReply): Promise<string> {
  req.backgroundTasks.add((word: string, times: number) => { ran.push(word.repeat(times)) }, 'hello', 1)
  // @ts-expect-error the function takes a number
  const wrong = () => req.backgroundTasks.add((times: number) => times, 'hello')
  return typeof wrong
}

async function main (): Promise<void> {
  const app = fastify()
  await app.register(backgroundTasks)
  app.get('/', handler)
  await app.inject('/')
  await app.backgroundTasks.idle()
  await app.close()
  console.log(ran.join())
}

main()`

t.test('the tarball holds the built files, the types and the documents, and nothing else', async (t) => {
  const expected = /^(dist\/(esm|cjs)\/.+(?<!\.(test|tst))(\.[cm]?js|\.d\.[cm]?ts)|dist\/cjs\/package\.json|dist\/dashboard\/.+)$/
  const documents = ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']
  t.same(files.filter((file) => !expected.test(file) && !/^(docs|examples)\//.test(file)), documents)
  t.same(targets.filter((target) => !files.includes(target)), [], 'every target of exports is there')
})

t.test('the page of the dashboard is built, with the assets that it names, plain and compressed', async (t) => {
  const page = files.filter((file) => file.startsWith('dist/dashboard/')).map((file) => file.slice('dist/dashboard/'.length))
  const html = await readFile(join(unpacked, 'dist/dashboard/index.html'), 'utf8')
  const assets = [...html.matchAll(/"\?asset=([^"]+)"/g)].map(([, name = '']) => name)
  t.match(assets.sort(), [/^app-[0-9a-f]{12}\.js$/, /^style-[0-9a-f]{12}\.css$/])
  t.same(page, [...assets.flatMap((name) => [name, `${name}.gz`]), 'index.html'].sort())
})

t.test('publint and attw find nothing to complain about', async (t) => {
  await t.resolves(run(temporary, bin('publint'), 'run', tarball, '--strict'), 'publint')
  await t.resolves(run(temporary, bin('attw'), tarball, '--profile', 'node16'), 'attw')
})

t.test('the package imports nothing but Node, its dependencies and its peers', async (t) => {
  const allowed = new Set([...dependencies, ...peers])
  const foreign = await Promise.all(files.filter((file) => /^dist\/.*\.[cm]?[jt]s$/.test(file)).map(async (file) => {
    const { importedFiles } = ts.preProcessFile(await readFile(join(unpacked, file), 'utf8'), true, true)
    return importedFiles
      .map(({ fileName }) => fileName)
      .filter((name) => !name.startsWith('.') && !isBuiltin(name))
      .filter((name) => !allowed.has(name.split('/', name.startsWith('@') ? 2 : 1).join('/')))
      .map((name) => `${file}: ${name}`)
  }))
  t.same(foreign.flat(), [])
})

t.test('it runs a task in an ECMAScript module', async (t) => {
  const project = await createProject('esm', required, {
    'app.mjs': `
      import fastify from 'fastify'
      import backgroundTasks from '${manifest.name}'
      const app = fastify()
      ${addAndWait}`
  })
  t.equal(await run(project, process.execPath, 'app.mjs'), 'hello\n')
})

t.test('it runs a task in a CommonJS module', async (t) => {
  const project = await createProject('cjs', required, {
    'app.cjs': `
      const app = require('fastify')()
      const backgroundTasks = require('${manifest.name}')
      async function main () {
        ${addAndWait}
      }
      main()`
  })
  t.equal(await run(project, process.execPath, 'app.cjs'), 'hello\n')
})

const runFile = `
  await app.register(backgroundTasks, { threads: { maxThreads: 1 } })
  const [file] = process.argv.slice(2)
  const task = app.backgroundTasks.add(defineTask({ name: 'double', payload: {}, file: require('node:path').resolve(file) }), { n: 21 })
  await app.backgroundTasks.idle()
  await app.close()
  console.log(task.result ?? task.error.message)`

const fileProject = {
  'package.json': JSON.stringify({ type: 'module' }),
  'app.mjs': `
    import fastify from 'fastify'
    import { createRequire } from 'node:module'
    import backgroundTasks, { defineTask } from '${manifest.name}'
    const require = createRequire(import.meta.url)
    const app = fastify()
    ${runFile}`,
  'app.cjs': `
    const app = require('fastify')()
    const backgroundTasks = require('${manifest.name}')
    const { defineTask } = backgroundTasks
    async function main () {
      ${runFile}
    }
    main()`,
  'double.js': 'export default ({ n }) => n * 2',
  'double.cjs': 'module.exports = ({ n }) => n * 2',
  'double.ts': 'export default ({ n }: { n: number }): number => n * 2'
}

for (const app of ['app.mjs', 'app.cjs']) {
  t.test(`${app} runs files in threads: ECMAScript, CommonJS, and TypeScript where Node does`, async (t) => {
    const project = await createProject(`threads-${app}`, [...required, 'piscina'], fileProject)
    t.equal(await run(project, process.execPath, app, 'double.js'), '42\n')
    t.equal(await run(project, process.execPath, app, 'double.cjs'), '42\n')
    const typescript = await run(project, process.execPath, app, 'double.ts')
    if ('typescript' in process.features && process.features.typescript !== false) t.equal(typescript, '42\n')
    else t.match(typescript, /double\.ts does not work as a task: /)
  })

  t.test(`${app} is told what to install where piscina is missing`, async (t) => {
    const project = await createProject(`no-threads-${app}`, required, fileProject)
    t.equal(await run(project, process.execPath, app, 'double.js'), 'tasks with a file need the package piscina: npm install piscina\n')
  })
}

for (const [module, type] of [['nodenext', 'module'], ['commonjs', 'commonjs']] as const) {
  t.test(`a strict TypeScript project with module ${module} compiles and runs a task`, async (t) => {
    const project = await createProject(`ts-${module}`, [...required, '@types/node'], {
      'package.json': JSON.stringify({ type }),
      'tsconfig.json': JSON.stringify({
        compilerOptions: { module, target: 'es2022', strict: true, skipLibCheck: false, types: ['node'] }
      }),
      'app.ts': typed
    })
    t.same(compileProject(project, module === 'nodenext'), [])
    t.equal(await run(project, process.execPath, 'app.js'), 'hello\n')
  })
}

const typedTask = `
import { type NamedTask, type Task, defineTask, errors, Type } from '${manifest.name}'

export const full: 'FST_BGT_FULL' = new errors.FST_BGT_FULL(5).code
// @ts-expect-error the code is known: it is not any
export const other: 'other' = new errors.FST_BGT_FULL(5).code
export const greet: NamedTask<{ name: string }, { text: string }> = defineTask({
  name: 'greet',
  payload: Type.Object({ name: Type.String() }),
  result: Type.Object({ text: Type.String() }),
  handler: async ({ name }, task: Task) => ({ text: 'hello ' + name + ' ' + task.attempt })
})
// @ts-expect-error the payload is known: it is not any
export const wrong: NamedTask<{ name: number }> = greet`

t.test('a project with bundler resolution compiles with the declarations checked', async (t) => {
  const project = await createProject('ts-bundler', [...required, '@types/node'], {
    'package.json': JSON.stringify({ type: 'module' }),
    'tsconfig.json': JSON.stringify({
      compilerOptions: {
        module: 'esnext', moduleResolution: 'bundler', target: 'es2022', strict: true, skipLibCheck: false, noEmit: true, types: ['node']
      }
    }),
    'app.ts': typed,
    'tasks.ts': typedTask
  })
  t.same(compileProject(project), [])
})

t.test('ECMAScript and CommonJS files of one TypeScript program share one plugin type, and tasks', async (t) => {
  const project = await createProject('ts-mixed', [...required, '@types/node'], {
    'package.json': JSON.stringify({ type: 'module' }),
    'tsconfig.json': JSON.stringify({
      compilerOptions: { module: 'nodenext', target: 'es2022', strict: true, skipLibCheck: false, types: ['node'] }
    }),
    'tasks.cts': `
      import fastify = require('fastify')
      import backgroundTasks = require('${manifest.name}')

      const { Type, defineTask } = backgroundTasks
      export const greet: backgroundTasks.NamedTask<{ name: string }, string> = defineTask({
        name: 'greet', payload: Type.Object({ name: Type.String() }), result: Type.String(), handler: ({ name }) => 'hello ' + name
      })

      export function createApp (): fastify.FastifyInstance {
        const options: backgroundTasks.BackgroundTasksOptions = { tasks: [greet] }
        const app = fastify()
        app.register(backgroundTasks, options)
        // @ts-expect-error the options are known
        const wrong = () => app.register(backgroundTasks, { concurency: 5 })
        const byName = () => [app.register(backgroundTasks.default, options), app.register(backgroundTasks.backgroundTasks, options)]
        app.get('/', async (request) => typeof wrong + typeof byName + request.backgroundTasks.size)
        return app
      }`,
    'app.mts': `
      import { type AppBackgroundTasks, defineTask, Type } from '${manifest.name}'
      import { createApp, greet } from './tasks.cjs'

      const app = createApp()
      await app.ready()
      const known: AppBackgroundTasks = app.backgroundTasks
      const length = defineTask({ name: 'length', payload: Type.String(), result: Type.Integer(), handler: (text) => text.length })
      const tasks = [known.add(greet, { name: 'ada' }), known.add(length, 'four')]
      await known.idle()
      await app.close()
      console.log(tasks.map((task) => task.result).join())`
  })
  t.same(compileProject(project), [])
  t.equal(await run(project, process.execPath, 'app.mjs'), 'hello ada,4\n')
})

t.test('what require gives has every type that import gives', async (t) => {
  const entry = manifest.exports['.']
  const declarations = [entry?.import.types, entry?.require.types].map((path) => join(unpacked, path ?? ''))
  const options: ts.CompilerOptions = { module: ts.ModuleKind.NodeNext, skipLibCheck: true, types: [] }
  const program = ts.createProgram(declarations, options, createHost(options))
  const checker = program.getTypeChecker()
  const names = declarations.map((path) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(path) as ts.Node) as ts.Symbol
    return checker.getExportsOfModule(module)
      .filter((symbol) => ((symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol)).flags & ts.SymbolFlags.Type)
      .map((symbol) => symbol.name)
      .sort()
  })
  t.same(names[1], names[0])
  t.not(names[0]?.length, 0)
})

t.test('the main entry loads no module of TypeBox', async (t) => {
  for (const format of ['esm', 'cjs']) {
    const { importedFiles } = ts.preProcessFile(await readFile(join(unpacked, `dist/${format}/lib/named/type.js`), 'utf8'), true, true)
    t.same(importedFiles, [], format)
  }
})

t.test('every subpath gives the same names to import and to require', async (t) => {
  const project = await createProject('subpaths', [...dependencies, ...peers], {
    'names.mjs': `
      import { createRequire } from 'node:module'
      const require = createRequire(import.meta.url)
      const [,, specifier] = process.argv
      const names = [Object.keys(await import(specifier)), Object.keys(require(specifier))]
      console.log(JSON.stringify(names.map((list) => list.sort())))`
  })
  for (const subpath of Object.keys(manifest.exports)) {
    const specifier = manifest.name + subpath.slice(1)
    const [esm, cjs] = JSON.parse(await run(project, process.execPath, 'names.mjs', specifier)) as string[][]
    // fastify-plugin gives each plugin a property of this name, and what require gives is the plugin.
    t.same(cjs?.filter((name) => name !== 'fastifyBackgroundTasks'), esm, subpath)
    t.not(esm?.length, 0, `${subpath} exports something`)
  }
})

for (const [kind, file, load] of [
  ['import', 'app.mjs', `await import('${manifest.name}/bullmq')`],
  ['require', 'app.cjs', `require('${manifest.name}/bullmq')`]
] as const) {
  t.test(`without BullMQ, ${kind} of the engine on it says what to install`, async (t) => {
    const project = await createProject(`bullmq-missing-${kind}`, required, { [file]: load })
    await t.rejects(run(project, process.execPath, file), { message: /Error: fastify-background-tasks\/bullmq needs BullMQ: npm install bullmq ioredis/ })
  })

  t.test(`with BullMQ, ${kind} gives an engine, and nothing connects before the app is ready`, async (t) => {
    const project = await createProject(`bullmq-${kind}`, [...dependencies, ...peers], {
      [file]: `
        async function main ({ bullmqEngine }) {
          const engine = bullmqEngine({ connection: { port: 1 } })
          console.log(['start', 'add', 'get', 'cancel', 'watch', 'pause', 'close'].every((name) => typeof engine[name] === 'function'))
          try {
            bullmqEngine({})
          } catch (error) {
            console.log(error.code)
          }
        }
        main(${load})`
    })
    t.equal(await run(project, process.execPath, file), 'true\nFST_BGT_INVALID_OPTIONS\n')
  })
}
