import { existsSync } from 'node:fs'
import { errors } from '../errors.js'

const OURS = /[\\/]lib[\\/]threads[\\/]entry\.c[jt]s$/

/**
 * The file that threads start from.
 * @throws FST_BGT_THREAD in a bundle: a thread that starts from the bundle would run the whole app again
 */
export function entryFile (findPath: () => string): string {
  let path = ''
  try {
    path = findPath()
  } catch {
    // An ECMAScript bundle has no `__dirname`.
  }
  if (OURS.test(path) && existsSync(path)) return path
  throw new errors.FST_BGT_THREAD(
    'tasks with a file cannot run from a bundle: leave the packages fastify-background-tasks and piscina out of it, as external modules')
}
