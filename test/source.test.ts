import { readFile, readdir } from 'node:fs/promises'
import { join, posix, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import ts from 'typescript'

const root = fileURLToPath(new URL('..', import.meta.url))
const maxLines = 200

async function listSources (folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { recursive: true })
  return entries
    .filter((entry) => /\.[cm]?ts$/.test(entry))
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
