// Runs test files, those of the command line or all: node test/runner/main.js [--quick] [--[no-]coverage] [--jobs N] [files]
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, posix, relative, sep } from 'node:path'
import { parseArgs } from 'node:util'
import { compile, root } from './compile.js'
import { planGroups } from './groups.js'
import { runGroup } from './processes.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  allowNegative: true,
  options: {
    quick: { type: 'boolean', default: false },
    // Without the option only CI measures it, in a run of all files.
    coverage: { type: 'boolean' },
    // One more than there are cores: many tests wait for other processes.
    jobs: { type: 'string', default: String(availableParallelism() + 1) }
  }
})
/** It packs and installs, and has no part in coverage: `npm run test:package`. */
const apart = 'test/package.test.ts'

function listTests () {
  return readdirSync(join(root, 'test'), { recursive: true })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => posix.join('test', name.replaceAll(sep, '/')))
    .filter((name) => name !== apart)
    .sort()
}

const started = performance.now()
const { tree, imports } = await compile()
const files = positionals.length > 0 ? positionals.map((path) => relative(root, path).replaceAll(sep, '/')) : listTests()
const isWhole = positionals.length === 0 && !values.quick
const isCovered = values.coverage ?? (isWhole && process.env.CI === 'true')
const coverage = isCovered ? join(tree, 'coverage') : undefined
if (isCovered) mkdirSync(coverage)
// Lines of TypeScript in stacks take time, which is spent where someone looks at a few files.
const nodeOptions = isWhole ? [] : ['--enable-source-maps']

const groups = planGroups(files, imports, values.quick)
const totals = { passed: 0, failed: 0 }
const failures = []
async function work () {
  for (let group; (group = groups.shift()) !== undefined;) {
    const { passed, failed, lines, failure } = await runGroup(tree, group, { nodeOptions, coverage })
    totals.passed += passed
    totals.failed += failed
    for (const line of lines) console.log(line)
    if (failure !== undefined) failures.push(failure)
  }
}
await Promise.all(Array.from({ length: Number(values.jobs) }, work))

for (const failure of failures) console.log(`\n${failure}`)
const seconds = ((performance.now() - started) / 1000).toFixed(1)
console.log(`\n# { total: ${totals.passed + totals.failed}, pass: ${totals.passed}, fail: ${totals.failed} } in ${seconds} s`)
if (totals.failed > 0 || totals.passed === 0) process.exitCode = 1

if (isCovered) {
  rmSync(join(root, 'coverage'), { recursive: true, force: true })
  const { status } = spawnSync(process.execPath, [
    join(root, 'node_modules/c8/bin/c8.js'), 'report', '--100', '--exclude-after-remap', '--temp-directory', coverage,
    '--include', 'index.ts', '--include', 'lib/**', '--exclude', 'lib/dashboard/page/**', '--extension', '.ts', '--extension', '.mts', '--extension', '.cts', '--reporter', 'text', '--reporter', 'lcov'
  ], { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exitCode = 1
}
