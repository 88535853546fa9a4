import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The module to measure: what users import, built JavaScript, unless the command line names another. */
export function pluginUrl ({ plugin, build }: { plugin: string | undefined, build: boolean }): string {
  if (build) {
    const { status } = spawnSync('npm run build', { cwd: root, stdio: 'inherit', shell: true })
    if (status !== 0) throw new Error('`npm run build` failed')
  }
  const path = plugin === undefined ? resolve(root, 'dist/esm/index.js') : resolve(plugin)
  if (!existsSync(path)) throw new Error(`${path} does not exist: run \`npm run build\``)
  return pathToFileURL(path).href
}
