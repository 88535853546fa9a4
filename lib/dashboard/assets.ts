import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { extname, join } from 'node:path'
import { errors } from '../errors.js'
import { pageFolders } from './page-folders.cjs'

/** A file of the page, with its compressed form. */
export interface Asset {
  readonly type: string
  readonly body: Buffer
  readonly gzip: Buffer
}

/** The page and its files, which stay in memory. */
export interface Assets {
  readonly html: string
  /** The name of the script, which has a hash of its content. */
  readonly script: string
  readonly byName: ReadonlyMap<string, Asset>
}

const PAGE = 'index.html'

const TYPES: Readonly<Record<string, string>> = { '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8' }

/**
 * Reads the built page.
 * @throws FST_BGT_INVALID_OPTIONS when it is not there
 */
export function readAssets (findFolders: () => string[] = pageFolders): Assets {
  const folder = findFolder(findFolders)
  if (folder === undefined) {
    throw new errors.FST_BGT_INVALID_OPTIONS('the page of the dashboard is not there: in the repository, run "npm run build". ' +
      'It cannot be part of a bundle: leave the package fastify-background-tasks out of it, as an external module')
  }
  const byName = new Map<string, Asset>()
  for (const name of readdirSync(folder)) {
    const type = TYPES[extname(name)]
    if (type === undefined) continue
    byName.set(name, { type, body: readFileSync(join(folder, name)), gzip: readFileSync(join(folder, `${name}.gz`)) })
  }
  const script = [...byName.keys()].find((name) => extname(name) === '.js')!
  return { html: readFileSync(join(folder, PAGE), 'utf8'), script, byName }
}

function findFolder (findFolders: () => string[]): string | undefined {
  try {
    return findFolders().find((folder) => existsSync(join(folder, PAGE)))
  } catch {
    // An ECMAScript bundle has no `__dirname`.
    return undefined
  }
}
