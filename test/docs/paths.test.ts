import { readFile, readdir } from 'node:fs/promises'
import { join, posix, sep } from 'node:path'
import t from 'tap'
import ts from 'typescript'

/** What the pages may name. */
interface Repository {
  /** Files and folders, from the root. */
  readonly paths: ReadonlySet<string>
  /** Top-level names that git ignores: built, not kept. */
  readonly ignored: ReadonlySet<string>
  readonly scripts: ReadonlySet<string>
  /** Of each package that the lockfile installs at the root. */
  readonly versions: ReadonlyMap<string, string>
  /** The headings of a page, as links name them. Undefined of a file that is no page. */
  readonly anchorsIn: (page: string) => readonly string[] | undefined
  /** The titles in a file of tests, with … in place of what a template fills in. */
  readonly titlesOf: (path: string) => ReadonlySet<string>
}

interface Manifest {
  scripts: Record<string, string>
  devDependencies: Record<string, string>
}

const root = process.cwd()

const PATH = /^[\w.@<>*-]+(?:\/[\w.@<>*-]+)*\/?$/
const SOURCE_FILE = /\.(?:[cm]?[jt]s|json|md|ya?ml)$/
const TITLES = /`((?:test|lib)\/[^`\s]+\.ts)`((?:,? (?:and )?"[^"]+")+)/g

/** Whether a word of code is the path of a file or folder of ours. A path that begins with `./` is one of the reader's. `.ts` is none. */
function isPath (word: string, { paths, ignored }: Repository): boolean {
  if (!PATH.test(word) || word.startsWith('./') || /^\.\w+$/.test(word)) return false
  const [first = ''] = word.split('/')
  return SOURCE_FILE.test(word) || word.endsWith('/') || (word.includes('/') && (paths.has(first) || ignored.has(first)))
}

function exists (path: string, { paths, ignored }: Repository): boolean {
  const plain = path.replace(/\/$/, '')
  if (ignored.has(plain.split('/')[0]!) || paths.has(plain)) return true
  if (!/[<*]/.test(plain)) return false
  const pattern = new RegExp(`^${plain.replace(/\./g, '\\.').replace(/<[^>]*>|\*/g, '[^/]+')}$`)
  return [...paths].some((known) => pattern.test(known))
}

/** The text between backticks, and the lines of fenced blocks that are commands. */
function codeIn (text: string): string[] {
  const blocks = [...text.matchAll(/^```(?:sh|bash)\n(.*?)^```$/gms)].map(([, block = '']) => block)
  const prose = text.replace(/^```.*?^```$/gms, '')
  return [...blocks, ...[...prose.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)]
}

/** Headings as GitHub names them in links. */
function anchorsOf (text: string): string[] {
  const prose = text.replace(/^```.*?^```$/gms, '')
  return [...prose.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading.toLowerCase().replace(/[^\w\s-]/g, '').replaceAll(' ', '-'))
}

/** What a page names that is not there. `page`: its path from the root. */
function problemsOf (page: string, text: string, repository: Repository): string[] {
  const code = codeIn(text)
  const words = code.flatMap((part) => part.split(/\s+/))
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target).filter((target) => !/^[a-z]+:/.test(target))
  const targets = links.map((target) => target.split('#')[0]!).filter(Boolean).map((target) => posix.join(posix.dirname(page), target))
  const anchors = links.filter((target) => target.startsWith('#')).map((target) => target.slice(1))
  const headings = links.filter((target) => /[^#]#/.test(target)).map((target) => {
    const [path = '', anchor = ''] = target.split('#')
    return { path: posix.join(posix.dirname(page), path), anchor }
  })
  const scripts = code.flatMap((part) => [...part.matchAll(/\bnpm (?:run ([\w:-]+)|(test|start)\b)/g)]).map(([, run, own]) => run ?? own!)
  const titles = [...text.replace(/\s+/g, ' ').matchAll(TITLES)].flatMap(([, path = '', list = '']) =>
    [...list.matchAll(/"([^"]+)"/g)].map(([, title = '']) => ({ path, title })))
  const versions = code.flatMap((part) => [...part.matchAll(/^(@?[\w./-]+)@(\d+\.\d+\.\d+)$/g)])
  return [
    ...words.filter((word) => isPath(word, repository) && !exists(word, repository)).map((path) => `no path ${path}`),
    ...targets.filter((path) => !exists(path, repository)).map((path) => `no path ${path}`),
    ...anchors.filter((anchor) => !anchorsOf(text).includes(anchor)).map((anchor) => `no heading #${anchor}`),
    ...headings.filter(({ path, anchor }) => repository.anchorsIn(path)?.includes(anchor) === false).map(({ path, anchor }) => `no heading ${path}#${anchor}`),
    ...scripts.filter((script) => !repository.scripts.has(script)).map((script) => `no script ${script}`),
    ...titles.filter(({ path, title }) => !repository.titlesOf(path).has(title)).map(({ path, title }) => `no test in ${path}: ${title}`),
    ...versions.filter(([, name = '', version]) => repository.versions.get(name) !== version).map(([named]) => `not in the lockfile: ${named}`)
  ]
}

/** A string, with … in place of each expression in a template; undefined of any other expression. */
function textOf (node: ts.Node | undefined): string | undefined {
  if (node === undefined) return undefined
  if (ts.isStringLiteralLike(node)) return node.text
  if (ts.isTemplateExpression(node)) return node.head.text + node.templateSpans.map(({ literal }) => `…${literal.text}`).join('')
  return undefined
}

/** What is given to `t.test`, and the names of the functions of an object, as those of the conformance suite. */
function titlesIn (text: string): Set<string> {
  const source = ts.createSourceFile('titles.ts', text, ts.ScriptTarget.Latest)
  const titles = new Set<string>()
  const visit = (node: ts.Node): void => {
    const isTest = ts.isCallExpression(node) && /(?:^|\.)test$/.test(node.expression.getText(source))
    const title = isTest ? textOf(node.arguments[0]) : ts.isPropertyAssignment(node) ? textOf(node.name) : undefined
    if (title !== undefined) titles.add(title)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return titles
}

const ignored = new Set((await readFile(join(root, '.gitignore'), 'utf8')).split('\n').filter(Boolean).map((line) => line.replace(/\/$/, '')))
const isKept = (name: string): boolean => name !== '.git' && !ignored.has(name)

async function listPaths (): Promise<string[]> {
  const top = (await readdir(root, { withFileTypes: true })).filter(({ name }) => isKept(name))
  const below = await Promise.all(top.filter((entry) => entry.isDirectory()).map(async ({ name }) =>
    (await readdir(join(root, name), { recursive: true })).map((path) => posix.join(name, path.replaceAll(sep, '/')))))
  return [...top.map(({ name }) => name), ...below.flat()]
}

const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Manifest
const lockfile = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as { packages: Record<string, { version: string }> }
const paths = new Set(await listPaths())
const pages = [...paths].filter((path) => /^(?:README|CONTRIBUTING|docs\/.+)\.md$/.test(path))
const texts = new Map<string, string>()
for (const path of pages) texts.set(path, await readFile(join(root, path), 'utf8'))
for (const path of [...paths].filter((path) => /^(?:test\/.+\.test|lib\/.+)\.ts$/.test(path))) texts.set(path, await readFile(join(root, path), 'utf8'))

const here: Repository = {
  paths,
  ignored,
  scripts: new Set(Object.keys(manifest.scripts)),
  versions: new Map(Object.entries(lockfile.packages).map(([path, { version }]) => [path.replace(/^node_modules\//, ''), version])),
  anchorsIn: (path) => pages.includes(path) ? anchorsOf(texts.get(path)!) : undefined,
  titlesOf: (path) => titlesIn(texts.get(path) ?? '')
}

for (const page of pages) {
  t.test(`${page} names files, tests, scripts and versions that are there`, {
    // test/matrix.js has put another one in the lockfile.
    skip: !manifest.devDependencies.fastify!.startsWith('^') && 'another Fastify is installed'
  }, async (t) => {
    t.same(problemsOf(page, texts.get(page)!, here), [])
  })
}

t.test('there are pages to check', async (t) => {
  t.ok(pages.includes('CONTRIBUTING.md'))
  t.ok(pages.includes('docs/architecture.md'))
  t.ok(pages.includes('README.md'))
})

const small: Repository = {
  paths: new Set(['index.ts', 'lib', 'lib/run', 'lib/run/retry.ts', 'test', 'test/run', 'test/run/retry.test.ts', 'docs', 'docs/page.md', 'README.md']),
  ignored: new Set(['dist']),
  scripts: new Set(['test', 'bench']),
  versions: new Map([['fastify', '5.1.0']]),
  anchorsIn: (path) => path === 'README.md' ? ['cost'] : undefined,
  titlesOf: () => new Set(['it retries', '… retries …', 'it gives up'])
}

t.test('titles are those of tests, templates among them, and those of the conformance suite', async (t) => {
  const titles = new Set([...here.titlesOf('test/docs/paths.test.ts'), ...here.titlesOf('lib/engines/conformance/keys.ts')])
  t.ok(titles.has('there are pages to check'))
  t.ok(titles.has('a page that names … that is not there is found'))
  t.ok(titles.has('of a batch with one key twice the first task has it'))
  t.same(here.titlesOf('test/docs/none.test.ts'), new Set())
})

t.test('a page whose names are all there has no problem', async (t) => {
  const page = `
# A page
\`index.ts\`, \`lib/run/\`, \`lib/run/retry.ts\`, \`test/<room>/*.test.ts\`, \`dist/esm\`, \`./task.js\`, \`.ts\`, \`task.id\`, \`text/plain\`
[here](#a-page), [there](../README.md#cost), [far](https://example.com/no.md)
\`test/run/retry.test.ts\` "it retries", "… retries …" and
"it gives up". \`npm run bench -- --only cpu\`, \`npm test\`, \`npm ci\`, \`fastify@5.1.0\`
`
  t.same(problemsOf('docs/page.md', page, small), [])
})

for (const [what, text, problem] of [
  ['a file', 'see `lib/run/retries.ts`', 'no path lib/run/retries.ts'],
  ['a file at the root', 'see `main.ts`', 'no path main.ts'],
  ['a folder', 'see `lib/runs/`', 'no path lib/runs/'],
  ['a folder without a slash behind it', 'see `lib/runs`', 'no path lib/runs'],
  ['files of a pattern', 'see `lib/<room>/*.test.ts`', 'no path lib/<room>/*.test.ts'],
  ['a file in a command', '`node test/main.js`', 'no path test/main.js'],
  ['a file in a block of commands', '```sh\nnode test/main.js\n```', 'no path test/main.js'],
  ['the target of a link', '[it](run/retry.ts)', 'no path docs/run/retry.ts'],
  ['a heading', '[it](#cost)', 'no heading #cost'],
  ['a heading in a block of code', '[it](#cost)\n```sh\n# cost\n```', 'no heading #cost'],
  ['a heading of another page', '[it](../README.md#costs)', 'no heading README.md#costs'],
  ['a test', '`test/run/retry.test.ts` "it retries",\n"it never retries"', 'no test in test/run/retry.test.ts: it never retries'],
  ['a script', '`npm run benches`', 'no script benches'],
  ['a script of npm', '`npm start`', 'no script start'],
  ['a version', '`fastify@5.2.0`', 'not in the lockfile: fastify@5.2.0']
] as const) {
  t.test(`a page that names ${what} that is not there is found`, async (t) => {
    t.same(problemsOf('docs/page.md', text, small), [problem])
  })
}
