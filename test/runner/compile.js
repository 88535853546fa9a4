import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, posix, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, stop } from 'esbuild'
import { buildPage } from '../../lib/dashboard/page/build.js'

export const root = fileURLToPath(new URL('../..', import.meta.url))
const parent = join(root, '.compiled')

/** Fixtures that threads load as they are. */
const isLoadedAsIs = (path) => path.startsWith('test/fixtures/threads/')
const formats = [['.ts', 'esm', '.js'], ['.mts', 'esm', '.mjs'], ['.cts', 'cjs', '.cjs']]

/** `node_modules/tap` of the tree: the files that share a process each see a test of their own in the place of tap's. */
const tap = "export * from '../../../../test/runner/current.js'\nexport { default } from '../../../../test/runner/current.js'\n"

function isRunning (pid) {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error.code === 'EPERM'
  }
}

function removeAbandoned () {
  for (const name of readdirSync(parent)) {
    if (!isRunning(Number(name))) rmSync(join(parent, name), { recursive: true, force: true })
  }
}

/**
 * Copies the repository to a folder of this run alone, with the JavaScript of each TypeScript file beside it, so that no
 * process pays for a loader and every path that a test makes of its own is right.
 */
export async function compile () {
  mkdirSync(parent, { recursive: true })
  removeAbandoned()
  const tree = join(parent, String(process.pid))
  process.once('exit', () => { rmSync(tree, { recursive: true, force: true }) })

  const sources = []
  for (const name of readdirSync(root)) {
    if (name.startsWith('.') || ['node_modules', 'dist', 'coverage'].includes(name)) continue
    cpSync(join(root, name), join(tree, name), {
      recursive: true,
      filter (path) {
        if (path.endsWith('ts')) sources.push(relative(root, path))
        return true
      }
    })
  }
  const results = await Promise.all(formats.map(([extension, format, js]) => build({
    absWorkingDir: root,
    entryPoints: sources.filter((path) => path.endsWith(extension) && !path.endsWith('.tst.ts') && !isLoadedAsIs(path)),
    outdir: tree,
    outbase: root,
    outExtension: { '.js': js },
    format,
    platform: 'node',
    target: `node${process.versions.node}`,
    sourcemap: 'linked',
    metafile: true,
    logLevel: 'warning'
  })))
  stop()
  buildPage(join(tree, 'dist/dashboard'))
  mkdirSync(join(tree, 'node_modules/tap'), { recursive: true })
  writeFileSync(join(tree, 'node_modules/tap/package.json'), '{ "type": "module", "exports": "./index.js" }\n')
  writeFileSync(join(tree, 'node_modules/tap/index.js'), tap)
  return { tree, imports: importsOf(results) }
}

/** What each compiled file imports: paths from the root of the tree, and the names of modules. */
function importsOf (results) {
  const outputs = results.flatMap(({ metafile }) => Object.entries(metafile.outputs))
  return new Map(outputs.map(([output, { imports }]) => {
    const file = output.split('/').slice(2).join('/')
    return [file, imports.map(({ path }) => path.startsWith('.') ? posix.join(posix.dirname(file), path) : path)]
  }))
}
