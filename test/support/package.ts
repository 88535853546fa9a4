import { execFile } from 'node:child_process'
import { link, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative, sep } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

interface Manifest {
  name: string
  exports: Record<string, Record<'import' | 'require', { types: string, default: string }>>
  dependencies: Record<string, string>
  peerDependencies: Record<string, string>
  peerDependenciesMeta?: Record<string, { optional?: boolean }>
}

type Project = Record<string, string>

const root = process.cwd()
const installed = join(root, 'node_modules')

/** What the command prints. Rejects with all it has said where it fails. */
export async function run (cwd: string, command: string, ...args: string[]): Promise<string> {
  // Without NODE_OPTIONS: the children are to run as a user's do, without the loaders of the test runner.
  const env = { ...process.env, NODE_OPTIONS: '', NO_COLOR: '1' }
  try {
    return (await promisify(execFile)(command, args, { cwd, env })).stdout
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string, stderr: string }
    throw new Error(`${command} ${args.join(' ')}\n${stdout}${stderr}`, { cause: error })
  }
}

export const bin = (name: string): string => join(installed, '.bin', name)

async function listFiles (folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll(sep, '/'))
    .sort()
}

// To build, pack and bundle takes 140 seconds on a busy machine.
t.setTimeout(480_000)

export const temporary = await mkdtemp(join(tmpdir(), 'package-test-'))
t.teardown(() => rm(temporary, { recursive: true, force: true }))

await run(root, 'npm', 'pack', '--silent', '--pack-destination', temporary)
export const [tarball = ''] = await readdir(temporary)
await run(temporary, 'tar', '-xzf', tarball)
export const unpacked = join(temporary, 'package')
export const files = await listFiles(unpacked)
export const manifest = JSON.parse(await readFile(join(unpacked, 'package.json'), 'utf8')) as Manifest
const isOptional = (peer: string): boolean => manifest.peerDependenciesMeta?.[peer]?.optional === true
export const peers = Object.keys(manifest.peerDependencies)
export const dependencies = Object.keys(manifest.dependencies)

/** The folders of `node_modules` in which the package and the same others are installed. */
const installations = new Map<string, Promise<string>>()

/**
 * Not by `npm install`: unpacking and linking need no network, and a module that is not among `linked` cannot be found.
 * The package is in each folder by hard links: a file that was reached by a symbolic one would look for modules where it lies.
 */
async function install (linked: string[]): Promise<string> {
  const folder = await mkdtemp(join(temporary, 'installed-'))
  const modules = join(folder, 'node_modules')
  for (const file of files) {
    const path = join(modules, manifest.name, file)
    await mkdir(dirname(path), { recursive: true })
    await link(join(unpacked, file), path)
  }
  for (const module of linked) {
    await mkdir(dirname(join(modules, module)), { recursive: true })
    await symlink(join(installed, module), join(modules, module), 'junction')
  }
  return folder
}

/** Lays out a project with the package installed, and `linked`. Those that have the same installed are neighbours. */
export async function createProject (name: string, linked: string[], sources: Project): Promise<string> {
  const key = [...linked].sort().join()
  if (!installations.has(key)) installations.set(key, install(linked))
  const folder = join(await installations.get(key)!, name)
  await mkdir(folder)
  for (const [path, text] of Object.entries(sources)) await writeFile(join(folder, path), text)
  return folder
}

/** A folder in which nothing is installed, for a bundle. */
export async function createEmptyFolder (): Promise<string> {
  return await mkdtemp(join(temporary, 'alone-'))
}

/** What a project needs beside the package. */
export const required = [...dependencies, ...peers.filter((peer) => !isOptional(peer))]

/** The same program as an ECMAScript and as a CommonJS module: `body` with the plugin, `defineTask` and Fastify. */
export function appSources (body: string): Project {
  return {
    'app.mjs': `
      import fastify from 'fastify'
      import backgroundTasks, { defineTask } from '${manifest.name}'
      async function main () {
        ${body}
      }
      main()`,
    'app.cjs': `
      const fastify = require('fastify')
      const backgroundTasks = require('${manifest.name}')
      const { defineTask } = backgroundTasks
      async function main () {
        ${body}
      }
      main()`
  }
}
