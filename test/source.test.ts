import { readFile, readdir } from 'node:fs/promises'
import { join, posix, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import ts from 'typescript'

const root = fileURLToPath(new URL('..', import.meta.url))
const maxLines = 160

/** From roof to ground: a file imports only from its own room and from those below. The first that matches is a file's room. */
const rooms: Array<[name: string, path: RegExp]> = [
  ['doors', /^lib\/(?!errors)[^/]+$/],
  ['index.ts', /^index\.ts$/],
  ['dashboard', /^lib\/dashboard\//],
  ['status', /^lib\/status\//],
  ['app', /^lib\/app\//],
  ['request', /^lib\/request\//],
  ['stored', /^lib\/stored\//],
  ['named', /^lib\/named\//],
  ['run', /^lib\/run\//],
  ['task', /^lib\/task\//],
  ['threads', /^lib\/threads\//],
  ['engines', /^lib\/engines\//],
  ['options', /^lib\/options\//],
  ['base', /^lib\/base\//],
  ['errors', /^lib\/errors\.ts$/],
  ['types', /^types\//]
]
const floorOf = (path: string): number => rooms.findIndex(([, pattern]) => pattern.test(path))

/** An engine is a guest in the house: what it may not use, an engine of a user's cannot use either. */
const engineImports = ['options', 'base', 'errors', 'types']
const engineOf = (path: string): string | undefined => /^lib\/engines\/([^/]+)\//.exec(path)?.[1]

/** The page of the dashboard knows of the server what the server writes, and no more. */
const pageImports = /^(lib\/dashboard\/view\.ts|types\/index\.ts)$/
const isOfPage = (path: string): boolean => path.startsWith('lib/dashboard/page/')

async function listSources (folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { recursive: true })
  return entries
    .filter((entry) => /\.([cm]?ts|tsx|css)$/.test(entry))
    .map((entry) => posix.join(folder, entry.replaceAll(sep, '/')))
}

const paths = ['index.ts', ...await listSources('lib'), ...await listSources('types')]
const sources = new Map<string, string>()
for (const path of paths) sources.set(path, await readFile(join(root, path), 'utf8'))

/** The source files that this one imports, types included. */
function importsOf (path: string): string[] {
  const { importedFiles } = ts.preProcessFile(sources.get(path) ?? '')
  return importedFiles
    .filter(({ fileName }) => fileName.startsWith('.'))
    .map(({ fileName }) => posix.join(posix.dirname(path), fileName).replace(/js$/, 'ts'))
    .map((imported) => sources.has(`${imported}x`) ? `${imported}x` : imported)
}

/** The first import cycle met on the way from the last file of `trail`, or undefined. */
function findCycle (trail: string[], done: Set<string>): string[] | undefined {
  const current = trail.at(-1) ?? ''
  if (done.has(current)) return
  const start = trail.indexOf(current)
  if (start < trail.length - 1) return trail.slice(start)
  for (const next of importsOf(current)) {
    const cycle = findCycle([...trail, next], done)
    if (cycle !== undefined) return cycle
  }
  done.add(current)
}

t.test(`no source file has more than ${maxLines} lines`, async (t) => {
  const tooLong = [...sources].filter(([, text]) => text.trimEnd().split('\n').length > maxLines)
  t.same(tooLong.map(([path]) => path), [])
})

/** Why a file must not import another one; undefined where it may. */
function objection (path: string, imported: string): string | undefined {
  const [from, to] = [floorOf(path), floorOf(imported)]
  if (isOfPage(path) && !isOfPage(imported) && !pageImports.test(imported)) return `${path} runs in a browser, and imports ${imported}`
  if (isOfPage(imported) && !isOfPage(path)) return `${path} imports ${imported}, which runs in a browser`
  if (to < from) return `${path} imports ${imported}, which is above it`
  const engine = engineOf(path)
  if (engine === undefined || engine === engineOf(imported) || engineImports.includes(rooms[to]?.[0] ?? '')) return undefined
  return `${path} imports ${imported}, but an engine imports only from ${engineImports.join(', ')}`
}

t.test('every source file has a room', async (t) => {
  t.same(paths.filter((path) => floorOf(path) < 0), [])
})

t.test('imports run one way: down', async (t) => {
  t.same(paths.flatMap((path) => importsOf(path).map((imported) => objection(path, imported))).filter(Boolean), [])
})

t.test('the test of direction names the file and the import', async (t) => {
  t.equal(objection('lib/base/fifo.ts', 'lib/task/task.ts'), 'lib/base/fifo.ts imports lib/task/task.ts, which is above it')
  t.equal(objection('lib/run/executor.ts', 'lib/request/task-list.ts'),
    'lib/run/executor.ts imports lib/request/task-list.ts, which is above it')
  t.match(objection('lib/engines/memory/entry.ts', 'lib/engines/bullmq/jobs.ts'), 'an engine imports only from options')
  t.match(objection('lib/dashboard/page/app.tsx', 'lib/dashboard/recorder.ts'), 'app.tsx runs in a browser, and imports')
  t.match(objection('lib/dashboard/recorder.ts', 'lib/dashboard/page/format.ts'), 'which runs in a browser')
  t.equal(objection('lib/request/task-list.ts', 'lib/task/task.ts'), undefined)
})

t.test('no source files import each other in a circle', async (t) => {
  const done = new Set<string>()
  t.same(paths.map((path) => findCycle([path], done)).filter(Boolean), [])
})

t.test('every relative import names a source file', async (t) => {
  const unknown = paths.flatMap(importsOf).filter((path) => !sources.has(path))
  t.same(unknown, [])
})

t.test('the lockfile names no download host', async (t) => {
  const lockfile = await readFile(join(root, 'package-lock.json'), 'utf8')
  t.notMatch(lockfile, '"resolved": "http')
})
