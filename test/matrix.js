// Runs the tests on another Node or Fastify, in a copy of the repository. All it needs comes from npm:
// npm run test:matrix -- [--node 24] [--fastify 5.0.0] [--quick] [files]
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { node: { type: 'string' }, fastify: { type: 'string' }, quick: { type: 'boolean', default: false } }
})
const root = fileURLToPath(new URL('..', import.meta.url))
const copy = mkdtempSync(join(tmpdir(), 'fastify-background-tasks-'))
process.once('exit', () => { rmSync(copy, { recursive: true, force: true }) })

function run (command, args, cwd = copy) {
  const { status, stdout } = spawnSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', cwd === copy ? 'inherit' : 'pipe', 'inherit'] })
  if (status !== 0) process.exit(status ?? 1)
  return stdout
}

// The work tree as it is, with what is not committed yet.
for (const path of run('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], root).split('\0').filter(Boolean)) {
  cpSync(join(root, path), join(copy, path))
}
if (values.fastify === undefined) {
  run('npm', ['ci'])
} else {
  const path = join(copy, 'package.json')
  const manifest = JSON.parse(readFileSync(path, 'utf8'))
  manifest.devDependencies.fastify = values.fastify
  writeFileSync(path, JSON.stringify(manifest))
  // Other plugins may not name this version of Fastify yet.
  run('npm', ['install', '--no-audit', '--no-fund', '--force'])
}

const node = values.node === undefined ? ['node'] : ['npm', 'exec', '--yes', `--package=node@${values.node}`, '--', 'node']
const program = "console.log('Node', process.version, 'Fastify', require('fastify/package.json').version)"
run(node[0], [...node.slice(1), '-e', program])
run(node[0], [...node.slice(1), 'test/runner/main.js', '--no-coverage', ...(values.quick ? ['--quick'] : []), ...positionals])
