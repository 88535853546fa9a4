import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { access, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import ts from 'typescript'
import { type NamedTask, errors } from '../../index.js'
import { spawnScript } from '../support/child.js'
import { PostgresServer, withoutPostgres } from '../support/postgres.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { until } from '../support/until.js'

interface Block {
  /** The heading that it stands under, and where in the file. */
  heading: string
  line: number
  language: string
  text: string
}

interface Manifest {
  name: string
  exports: Record<string, { import: { default: string } }>
  scripts: Record<string, string>
}

/** What the prelude exports, as far as the checks use it. */
interface Names {
  app: FastifyInstance
  calls: unknown[][]
  sentTo: string[]
  sendInvoice: NamedTask<{ to: string }>
  database: { query: (text: string) => Promise<unknown> }
  suite: Array<{ name: string, run: () => Promise<void> }>
}

/** Ends a child process that says nothing. */
const CHILD_TIMEOUT_MS = 30_000

const root = fileURLToPath(new URL('../..', import.meta.url))
const preludePath = join(root, 'test/fixtures/readme-prelude.ts')
const readme = await readFile(join(root, 'README.md'), 'utf8')
const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Manifest
const prelude = await readFile(preludePath, 'utf8')
const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
const { options: compilerOptions } = ts.parseJsonConfigFileContent(config, ts.sys, root)

// The compiler takes its time on a busy machine.
t.setTimeout(180_000)

const headings = [...readme.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) => title)
const blocks = [...readme.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(({ 1: language = '', 2: text = '', index }): Block => {
  const before = readme.slice(0, index)
  const heading = [...before.matchAll(/^#+ (.+)$/gm)].at(-1)?.[1] ?? ''
  return { heading, line: before.split('\n').length + 1, language, text }
})
const programs = blocks.filter(({ language }) => language === 'js')
const parts = blocks.filter(({ language }) => language === 'ts')

/** A part of a program made whole. */
function complete ({ text }: Block): string {
  const registers = text.includes('app.register(backgroundTasks')
  return (registers ? prelude.replace('await app.register(backgroundTasks)\n', '\n') : prelude) + text
}

/** The source file of each import that the package offers, from its root. */
const sources = new Map(Object.entries(manifest.exports).map(([subpath, { import: { default: path } }]) =>
  [manifest.name + subpath.slice(1), path.replace('./dist/esm/', '')]))

/** The code with sources for imports of the package. */
function fromSources (text: string): string {
  return text.replace(/(?<=from ')([^']+)(?=')/g, (specifier) => {
    const path = specifier.startsWith('../../') ? specifier.slice('../../'.length) : sources.get(specifier)
    return path === undefined ? specifier : new URL(`../../${path}`, import.meta.url).href
  })
}

/** The rows of the tables whose first column has this title, without the header. */
function tableRows (title: string): string[][] {
  const start = readme.split('\n').findIndex((line) => line.startsWith(`| ${title} |`))
  const lines = readme.split('\n').slice(start + 2)
  return lines
    .slice(0, lines.findIndex((line) => !line.startsWith('|')))
    .map((line) => line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim()))
}

/** The names in a table's first column: `add(fn, ...args)` gives add. */
function namesIn (title: string): string[] {
  const names = tableRows(title).flatMap(([cell = '']) => [...cell.matchAll(/`(\w+)/g)].map(([, name = '']) => name))
  return [...new Set(names)].sort()
}

/** The parts as files beside the prelude. */
const partFiles = new Map(parts.map((block) => [join(dirname(preludePath), `readme-${block.line}.ts`), block]))

function createProgram (): ts.Program {
  const host = ts.createCompilerHost(compilerOptions)
  const { fileExists, getSourceFile } = host
  host.fileExists = (path) => partFiles.has(path) || fileExists(path)
  host.getSourceFile = (path, options, ...rest) => {
    const block = partFiles.get(path)
    return block === undefined ? getSourceFile(path, options, ...rest) : ts.createSourceFile(path, complete(block), options)
  }
  const paths = Object.fromEntries([...sources].map(([name, path]) => [name, [join(root, path.replace(/js$/, 'ts'))]]))
  return ts.createProgram([join(root, 'types/index.ts'), ...partFiles.keys()], { ...compilerOptions, paths }, host)
}

const program = createProgram()
const checker = program.getTypeChecker()

/** The members of a public interface, inherited ones included, and what their comments say of the default. */
function membersOf (name: string, file = 'types/index.ts'): Map<string, string> {
  const entry = program.getSourceFile(join(root, file))!
  const symbol = checker.getExportsOfModule(checker.getSymbolAtLocation(entry)!).find((symbol) => symbol.name === name)!
  return new Map(checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol)).map((member) => {
    const tag = member.getJsDocTags().find((tag) => tag.name === 'default')
    return [member.name, ts.displayPartsToString(tag?.text)]
  }))
}

t.test('every ts block compiles under strict options', async (t) => {
  const diagnostics = [...partFiles.keys()].flatMap((path) => ts.getPreEmitDiagnostics(program, program.getSourceFile(path)))
  const problems = diagnostics.map(({ file, start = 0, messageText }) => {
    const block = partFiles.get(file?.fileName ?? '')
    const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line
    const where = block === undefined ? file?.fileName : `README.md:${block.line + line - prelude.split('\n').length + 1}`
    return `${where}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
  })
  t.same(problems, [])
})

/** What should come of running a part, by heading; every other one must at least run without an error. */
const checks: Record<string, (t: Test, names: Names) => Promise<void>> = {
  async 'Adding tasks' (t, { app, calls, sentTo }) {
    t.equal((await app.inject({ method: 'POST', url: '/users' })).statusCode, 201)
    await app.backgroundTasks.idle()
    t.same(sentTo, ['ann@example.com'])
    t.same(calls, [['warmCache']])
    t.match(app.backgroundTasks.stats(), { completed: 3, failed: 0 })
  },

  async Options (t, { app, calls }) {
    t.same((await app.inject({ method: 'POST', url: '/import' })).json(), { accepted: 2 })
    await app.backgroundTasks.idle()
    t.same(calls, [['importFeed', 'https://example.com/a'], ['importFeed', 'https://example.com/b']])
  },

  async 'The Task object' (t, { app, calls }) {
    const response = await app.inject({ method: 'POST', url: '/albums' })
    t.equal(response.statusCode, 202)
    await app.backgroundTasks.idle()
    t.match(calls, [['resize', 'a.png'], ['resize', 'b.png']])
    const snapshot = (await app.inject(`/albums/${response.json().id}`)).json()
    t.match(snapshot, { name: 'resizeAll', state: 'completed', progress: 1 })
    t.equal((await app.inject('/albums/unknown')).statusCode, 404)
  },

  async 'The app\'s own tasks: `app.backgroundTasks`' (t, { app, calls }) {
    await app.backgroundTasks.idle()
    t.same(calls, [['refreshPrices']])
    t.match((await app.inject('/stats')).json(), { active: 0, completed: 1 })
  },

  async 'Logging and onError' (t, { app, calls }) {
    const { id } = app.backgroundTasks.add(function archive () { throw new Error('disk full') })
    await app.backgroundTasks.idle()
    t.same(calls, [['deadLetter', { task: 'archive', id, error: 'Error: disk full' }]])
  },

  async 'Diagnostics channels' (t, { app, calls }) {
    app.backgroundTasks.add(function archive () {})
    await app.backgroundTasks.idle()
    t.same(calls, [['count', 'task.archive.completed']])
  },

  async 'Named tasks' (t, { app }) {
    const response = await app.inject({ method: 'POST', url: '/thumbnails' })
    t.equal(response.statusCode, 202)
    await app.backgroundTasks.idle()
    t.match(await app.backgroundTasks.get(response.json().id), { state: 'completed', result: { bytes: 1400 } })
  },

  async 'Scheduled tasks' (t, { app }) {
    const [schedule] = (await app.inject('/schedules')).json()
    t.match(schedule, { name: 'nightly-report', cron: '0 3 * * *', timezone: 'Europe/Berlin' })
    const hour = new Date(schedule.nextRunAt).toLocaleTimeString('de', { timeZone: 'Europe/Berlin' })
    t.equal(hour, '03:00:00')
  },

  async Engines (t, { suite }) {
    t.ok(suite.length > 0)
    for (const { name, run } of suite) await t.resolves(run(), name)
  },

  async 'Redis, Valkey and PostgreSQL' (t, { app, calls }) {
    const { id } = (await app.inject({ method: 'POST', url: '/invoices' })).json()
    await until(async () => (await app.backgroundTasks.get(id))?.state === 'completed')
    t.same(calls, [['sendInvoice', 'ann@example.com']])
  },

  async 'Stored by your own transaction' (t, { app, calls, database }) {
    t.equal((await app.inject({ method: 'POST', url: '/orders' })).statusCode, 500)
    await database.query('create table orders (customer text unique)')
    t.equal((await app.inject({ method: 'POST', url: '/orders' })).statusCode, 201)
    t.equal((await app.inject({ method: 'POST', url: '/orders' })).statusCode, 500)
    await until(() => calls.length > 0)
    await app.close()
    t.same(calls, [['sendInvoice', 'ann@example.com']])
  },

  async 'Status routes' (t, { app }) {
    const response = await app.inject({ method: 'POST', url: '/reports' })
    t.equal(response.statusCode, 202)
    await app.backgroundTasks.idle()
    const location = String(response.headers.location)
    t.match((await app.inject(location)).json(), { id: response.json().id, name: 'writeReport', state: 'completed' })
    const events = await app.inject(`${location}/events`)
    t.match(events.headers, { 'content-type': 'text/event-stream' })
    t.match(events.body, /event: state\ndata: {.*"state":"completed"/)
    t.equal((await app.inject('/tasks/7f7a8a10-18d0-4cff-8e82-2bf128d80538')).statusCode, 404)
  },

  async 'Looking at tasks, and running one again' (t, { app, calls, sendInvoice }) {
    const { id } = app.backgroundTasks.add(sendInvoice, { to: 'bob@example.com' })
    await app.backgroundTasks.idle()
    t.match(await app.backgroundTasks.get(id), { state: 'failed' })
    t.match((await app.inject({ method: 'POST', url: '/invoices/retry' })).json(), { retried: 1, counts: { process: { failed: 1 } } })
    await app.backgroundTasks.idle()
    t.match(await app.backgroundTasks.get(id), { state: 'completed' })
    t.same(calls, [['refused', 'bob@example.com'], ['sendInvoice', 'bob@example.com']])
  },

  async 'Testing your app' (t, { app, sentTo }) {
    t.same(sentTo, ['ann@example.com'])
    t.equal(app.backgroundTasks.stats().failed, 0)
  },

  async TypeScript (t, { app }) {
    t.same((await app.inject({ method: 'POST', url: '/images' })).json(), { state: 'waiting' })
  },

  async 'Where is the `BackgroundTasks` parameter?' (t, { app, calls, sentTo }) {
    await app.inject({ method: 'POST', url: '/accounts', payload: { email: 'bob@example.com' } })
    await app.backgroundTasks.idle()
    t.same(calls, [['insert', 'bob@example.com']])
    t.same(sentTo, ['bob@example.com'])
  },

  async 'Is the database still open in a task?' (t, { app, calls }) {
    t.same((await app.inject({ method: 'POST', url: '/checkout' })).json(), { orderId: 7 })
    await app.backgroundTasks.idle()
    t.match(calls, [['query', /^update/, [7]], ['release']])
  },

  async 'What if the handler throws?' (t, { app, calls }) {
    t.equal((await app.inject({ method: 'POST', url: '/transfer' })).statusCode, 500)
    await app.backgroundTasks.idle()
    t.same(calls, [['alertOperator']])
    t.equal(app.backgroundTasks.stats().skipped, 1)
  },

  async 'Every request needs the same task' (t, { app, calls }) {
    await app.inject('/nowhere')
    await app.backgroundTasks.idle()
    t.same(calls, [['writeAuditLog', 'GET', '/nowhere', 404]])
  }
}

/** Takes back the listeners that a part puts on the process, such as those of close-with-grace. */
function keepListeners (t: Test): void {
  const before = new Map(process.eventNames().map((name) => [name, process.listeners(name as NodeJS.Signals)]))
  t.teardown(() => {
    for (const name of process.eventNames()) {
      for (const listener of process.listeners(name as NodeJS.Signals)) {
        if (before.get(name)?.includes(listener) !== true) process.off(name, listener)
      }
    }
  })
}

for (const block of parts) {
  const skip = (block.text.includes('redisPort') && withoutRedis) || (block.text.includes('postgresUrl') && withoutPostgres)
  t.test(`the part at README.md:${block.line} (${block.heading}) does what it says`, { skip }, async (t) => {
    keepListeners(t)
    if (block.text.includes('redisPort')) {
      const redis = await RedisServer.start()
      t.teardown(() => redis.stop())
      process.env['README_REDIS_PORT'] = String(redis.port)
    }
    if (block.text.includes('postgresUrl')) {
      const postgres = await PostgresServer.start()
      t.teardown(() => postgres.stop())
      process.env['README_POSTGRES_URL'] = postgres.connectionString
    }
    const { outputText } = ts.transpileModule(complete(block), {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 }
    })
    const folder = t.testdir({ 'part.mjs': fromSources(outputText) })
    const names = await import(pathToFileURL(join(folder, 'part.mjs')).href) as Names
    t.teardown(() => names.app.close())
    await names.app.ready()
    await checks[block.heading]?.(t, names)
  })
}

t.test('every check belongs to a part', async (t) => {
  const known = parts.map(({ heading }) => heading)
  t.same(Object.keys(checks).filter((heading) => !known.includes(heading)), [])
})

t.test('the first example replies, then runs its task', async (t) => {
  t.equal(programs.length, 1)
  const source = fromSources(programs[0]?.text ?? '').replace('port: 3000', 'port: 0')
  const folder = t.testdir({ 'app.mjs': source })
  const child = spawnScript<ChildProcessByStdio<null, Readable, null>>(join(folder, 'app.mjs'), [], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: CHILD_TIMEOUT_MS
  })
  const closed = once(child, 'close')
  t.teardown(async () => {
    child.kill()
    await closed
  })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  async function logged (pattern: RegExp): Promise<string> {
    for (;;) {
      const { value, done } = await lines.next()
      if (done === true) throw new Error(`the example ended without logging ${pattern}`)
      const { msg } = JSON.parse(value)
      if (pattern.test(msg)) return msg
    }
  }
  const url = (await logged(/^Server listening/)).replace(/^.* (?=http)/, '')
  const response = await fetch(`${url}/signup`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: 'ann@example.com' })
  })
  t.equal(response.status, 201)
  t.same(await response.json(), { welcome: 'ann@example.com' })
  t.match(await logged(/mail server/), 'ann@example.com')
})

t.test('the option tables name every option, and its default', async (t) => {
  const withDefaults = (rows: string[][]): Array<[string, string]> => rows.map(([name = '', , value = '']) =>
    [name.replaceAll('`', ''), value.replace(/[`']/g, '').replace(/(?<=\d) (?=\d)/g, '')])
  const task = new Map(withDefaults(tableRows('task option')))
  const retry = new Map(withDefaults(tableRows('field of `retry`')))
  const route = new Map(withDefaults([...tableRows('task option'), ...tableRows('route option')]))
  const plugin = new Map([...route, ...withDefaults(tableRows('plugin option'))])
  route.delete('name')
  plugin.delete('name')
  const named = new Map([...task, ...withDefaults(tableRows('option of `add`'))])
  named.delete('name')
  const schedule = new Map(withDefaults(tableRows('field of `schedule`')))
  const query = new Map(withDefaults(tableRows('field of a query')))
  const written = { TaskQuery: query, NamedTaskOptions: named, TaskSchedule: schedule, TaskOptions: task, RetryOptions: retry, RouteTaskOptions: route, BackgroundTasksOptions: plugin }

  for (const [name, table] of Object.entries(written)) {
    const members = membersOf(name)
    t.same([...table.keys()].sort(), [...members.keys()].sort(), name)
    for (const [option, value] of members) {
      if (value !== '') t.equal(table.get(option), value.replaceAll("'", ''), `the default of ${option}`)
    }
  }
})

t.test('the other tables name every member', async (t) => {
  t.same(namesIn('member of `req.backgroundTasks`'), [...membersOf('RequestBackgroundTasks').keys()].sort())
  t.same(namesIn('member of a task'), [...membersOf('Task').keys()].sort())
  t.same(namesIn('member of `app.backgroundTasks`'), [...membersOf('AppBackgroundTasks').keys()].sort())
  t.same(namesIn('option of `bullmqEngine`'), [...membersOf('BullmqEngineOptions', 'lib/engines/bullmq/options.ts').keys()].sort())
  t.same(namesIn('member of an engine'), [...membersOf('Engine').keys()].sort())
})

t.test('the errors table names every error and its status', async (t) => {
  const table = tableRows('code').map(([code = '', status]) => [code.replaceAll('`', ''), Number(status)])
  const known = Object.entries(errors).map(([code, create]) => [code, Reflect.construct(create, []).statusCode])
  t.same(table, known)
})

t.test('the log messages are those of the sources', async (t) => {
  const files = ['run/report', 'app/unfinished', 'threads/threads', 'engines/bullmq/store-errors', 'stored/run-for-engine', 'stored/schedule', 'stored/tick']
  const texts = await Promise.all(files.map((file) => readFile(join(root, `lib/${file}.ts`), 'utf8')))
  const callbacks = ['onError', 'retryIf'].map((name) => `'background task ${name} failed'`).join()
  const sources = texts.join('\n').replace('`background task ${name} failed`', callbacks) // eslint-disable-line no-template-curly-in-string
  for (const [, message = ''] of tableRows('level')) t.match(sources, message.replaceAll('`', "'"))
})

t.test('the types said to be exported are', async (t) => {
  const [, sentence = ''] = /Exported\s+types: (.*?)\./s.exec(readme) ?? []
  const names = [...sentence.matchAll(/`(\w+)`/g)].map(([, name = '']) => name)
  t.ok(names.length > 0)
  for (const name of names) t.ok(membersOf(name) !== undefined, name)
})

t.test('links lead somewhere, commands exist', async (t) => {
  const anchors = headings.map((heading) => heading.toLowerCase().replace(/[^\w\s-]/g, '').replaceAll(' ', '-'))
  for (const [, target = ''] of readme.matchAll(/\]\(([^)]+)\)/g)) {
    if (target.startsWith('#')) t.ok(anchors.includes(target.slice(1)), target)
    else if (!target.startsWith('https://')) await t.resolves(access(join(root, target)), target)
  }
  for (const [, script = ''] of readme.matchAll(/npm (?:run )?(demo|bench|test|start)/g)) t.ok(script in manifest.scripts, script)
})
