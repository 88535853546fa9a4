import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import Fastify, { type FastifyInstance } from 'fastify'
import t from 'tap'
import backgroundTasks, { errors } from '../../index.js'
import { dashboard } from '../../lib/dashboard.js'
import { taskRoutes } from '../../lib/routes.js'
import { exportedNames, literalsOf, logLines, membersOf } from '../support/docs-program.js'
import { blocksIn, pageAt, root, tableRows } from '../support/pages.js'
import { sources } from '../support/snippets.js'

// The compiler takes its time on a busy machine.
t.setTimeout(180_000)

const reference = pageAt('docs/reference.md')
const rows = (title: string): string[][] => tableRows(reference, title)

/** The names in a column: `add(fn, ...args)` gives add. */
function namesIn (table: string[][]): string[] {
  const names = table.flatMap(([cell = '']) => [...cell.matchAll(/`(\w+)/g)].map(([, name = '']) => name))
  return [...new Set(names)].sort()
}

/** Each name in the first column with the default in the third, without marks. */
function defaultsIn (...titles: string[]): Map<string, string> {
  const plain = (cell: string): string => cell.replace(/[`']/g, '').replace(/(?<=\d) (?=\d)/g, '')
  return new Map(titles.flatMap(rows).flatMap(([names = '', , value = '']) =>
    [...names.matchAll(/`(\w+)`/g)].map(([, name = '']): [string, string] => [name, plain(value)])))
}

function without (table: Map<string, string>, name: string): Map<string, string> {
  return new Map([...table].filter(([key]) => key !== name))
}

const task = defaultsIn('task option')
const route = without(defaultsIn('task option', 'route option'), 'name')
const tablesOfOptions: Record<string, Map<string, string>> = {
  TaskOptions: task,
  RetryOptions: defaultsIn('field of `retry`'),
  RouteTaskOptions: route,
  BackgroundTasksOptions: new Map([...route, ...defaultsIn('plugin option')]),
  NamedTaskOptions: new Map([...without(task, 'name'), ...defaultsIn('option of `add`')]),
  TaskSchedule: defaultsIn('field of `schedule`'),
  TaskQuery: defaultsIn('field of a query')
}

for (const [name, table] of Object.entries(tablesOfOptions)) {
  t.test(`the tables have every option of ${name}, with its default, and no other`, async (t) => {
    const members = membersOf(name)
    t.same([...table.keys()].sort(), [...members.keys()].sort())
    for (const [option, value] of members) {
      if (value !== '') t.equal(table.get(option), value.replaceAll("'", ''), `the default of ${option}`)
    }
  })
}

for (const [title, type, file] of [
  ['member of `req.backgroundTasks`', 'RequestBackgroundTasks'],
  ['member of `app.backgroundTasks`', 'AppBackgroundTasks'],
  ['number in `stats()`', 'TaskStats'],
  ['member of a task', 'Task'],
  ['member of a task in a thread', 'ThreadTask'],
  ['field of a snapshot', 'TaskSnapshot'],
  ['field of `threads`', 'ThreadOptions'],
  ['option of `bullmqEngine`', 'BullmqEngineOptions', 'lib/engines/bullmq/options.ts'],
  ['option of `taskRoutes`', 'TaskRoutesOptions', 'lib/routes.ts'],
  ['option of `dashboard`', 'DashboardOptions', 'lib/dashboard/options.ts']
] as const) {
  t.test(`the table of each ${title} is that of ${type}`, async (t) => {
    t.same(namesIn(rows(title)), [...membersOf(type, file).keys()].sort())
  })
}

t.test('the table of defineTask has every field of a definition', async (t) => {
  const fields = new Set([...membersOf('HandlerTaskDefinition').keys(), ...membersOf('FileTaskDefinition').keys()])
  t.same(namesIn(rows('field of `defineTask`')), [...fields].sort())
})

t.test('the sentence about implementTask names its options', async (t) => {
  const [, sentence = ''] = /^`implementTask\(.*?\)` takes (.*)\.$/m.exec(reference.text) ?? []
  t.same([...sentence.matchAll(/`(\w+)`/g)].map(([, name = '']) => name).sort(), [...new Set([...membersOf('TaskImplementation').keys(), 'file'])].sort())
})

t.test('a listed task has the fields of a snapshot and those of its table', async (t) => {
  const own = [...membersOf('ListedTask').keys()].filter((name) => !membersOf('TaskSnapshot').has(name))
  t.same(namesIn(rows('field of a listed task')), own.sort())
})

for (const [page, title, type, file] of [
  ['docs/engines.md', 'member of an engine', 'Engine', 'types/index.ts'],
  ['docs/engines.md', 'option of `engineConformance`', 'ConformanceOptions', 'lib/engines/conformance/engine-conformance.ts'],
  ['docs/testing.md', 'member of a capture', 'TaskCapture', 'lib/testing.ts'],
  ['docs/testing.md', 'field of a captured task', 'CapturedTask', 'lib/testing.ts']
] as const) {
  t.test(`the table of each ${title} in ${page} is that of ${type}`, async (t) => {
    t.same(namesIn(tableRows(pageAt(page), title)), [...membersOf(type, file).keys()].sort())
  })
}

t.test('the tables of states and of engine outcomes have each of them', async (t) => {
  t.same(namesIn(rows('state')), literalsOf('TaskState'))
  t.same(namesIn(tableRows(pageAt('docs/engines.md'), 'outcome')), literalsOf('RunOutcome', 'state'))
})

t.test('the table of imports has every subpath of the package', async (t) => {
  t.same(rows('import').map(([name = '']) => name.replaceAll('`', '')).sort(), [...sources.keys()].sort())
})

t.test('the table of types has every export of the package', async (t) => {
  const exported = new Set([...exportedNames('index.ts'), ...exportedNames('types/index.ts')].filter((name) => name !== 'default'))
  t.same(namesIn(rows('exports of `fastify-background-tasks`')), [...exported].sort())
})

t.test('the errors table names every error and its status, in the order of the source', async (t) => {
  const table = rows('code').map(([code = '', status]) => [code.replaceAll('`', ''), Number(status)])
  const known = Object.entries(errors).map(([code, create]) => [code, Reflect.construct(create, []).statusCode])
  t.same(table, known)
})

t.test('the table of log lines has every line of the sources at its level, and no other', async (t) => {
  const written = logLines()
  const table = new Map(rows('level').map(([level = '', message = '']) => [message.replaceAll('`', ''), level]))
  t.same([...table.keys()].sort(), [...new Set(written.map(({ message }) => message))].sort())
  for (const { message, level } of written) t.equal(table.get(message), level, message)
})

t.test('the table of channels has every channel of the sources, and no other', async (t) => {
  const text = await readFile(join(root, 'lib/run/channels.ts'), 'utf8')
  const files = (await readdir(join(root, 'lib'), { recursive: true })).filter((name) => /\.[cm]?ts$/.test(name))
  for (const file of files) {
    if (file.endsWith('run/channels.ts')) continue
    t.notMatch(await readFile(join(root, 'lib', file), 'utf8'), /\b(?:channel|tracingChannel)(?:<[^(]*>)?\('fastify-/, `${file} makes no channel`)
  }
  const channels = [...text.matchAll(/hannel(?:<.*>)?\('([^']+)'\)/g)].map(([, name = '']) => name)
  t.same(rows('channel').map(([name = '']) => name.replaceAll('`', '')), channels)
})

for (const [title, register] of [
  ['route', async (app: FastifyInstance) => { await app.register(taskRoutes, { prefix: '/tasks', cancel: true }) }],
  ['route of the dashboard', async (app: FastifyInstance) => { await app.register(dashboard, { prefix: '/background-tasks', onRequest: [], actions: true }) }]
] as const) {
  t.test(`the table of each ${title} has every one, and no other`, async (t) => {
    const app = Fastify()
    const routes: string[] = []
    app.addHook('onRoute', ({ method, url }) => { if (method !== 'HEAD') routes.push(`${[method].flat().join()} ${url.replace(/\/$/, '')}`) })
    await app.register(backgroundTasks)
    await register(app)
    await app.close()
    t.same(rows(title).map(([name = '']) => name.replaceAll('`', '')).sort(), [...new Set(routes)].sort())
  })
}

t.test('every message that troubleshooting knows is one of the sources', async (t) => {
  const files = (await readdir(join(root, 'lib'), { recursive: true })).filter((name) => name.endsWith('.ts'))
  const texts = await Promise.all(files.map((file) => readFile(join(root, 'lib', file), 'utf8')))
  const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  // What `%s` may stand for: "stored" in 'background tasks could not be %s'.
  const templates = texts.flatMap((text) => [...text.matchAll(/'FST_BGT_\w+', '([^']+%s)'/g)])
    .map(([, template = '']) => new RegExp(`^${escape(template).replaceAll('%s', '\\w+')}$`))
  for (const [cell = ''] of tableRows(pageAt('docs/troubleshooting.md'), 'message')) {
    const message = cell.replaceAll('`', '')
    const pattern = new RegExp(escape(message).replaceAll('…', String.raw`(?:%[sd]|\$\{[^}]*\})+`))
    t.ok(texts.some((text) => pattern.test(text)) || templates.some((template) => template.test(message)), message)
  }
})

t.test('every json block is JSON, and the log line of the guide is one of the README', async (t) => {
  const lines = (text: string): unknown[] => text.trim().split('\n').map((line) => JSON.parse(line))
  for (const { page, line, text } of blocksIn('json')) t.doesNotThrow(() => lines(text), `${page}:${line}`)
  const [shown] = pageAt('docs/guide.md').blocks.filter(({ language }) => language === 'json')
  const [readme] = pageAt('README.md').blocks.filter(({ language }) => language === 'json')
  t.match(lines(readme!.text).at(-1), lines(shown!.text)[0])
})
