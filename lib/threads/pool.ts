import { availableParallelism } from 'node:os'
import type { Piscina } from 'piscina'
import type { ThreadOptions } from '../../types/index.js'
import { loadPiscina } from '../base/modules.cjs'
import { errors } from '../errors.js'
import type { KeyedCall, ThreadOutcome } from './call.js'
import { entryFile } from './entry-file.js'
import { entryPath } from './entry-path.cjs'

export type ThreadPool = Piscina<KeyedCall, ThreadOutcome>

/**
 * Loads piscina and makes a pool of threads.
 * @throws FST_BGT_THREAD in a bundle, or when piscina is not installed
 * @throws FST_BGT_INVALID_OPTIONS when piscina refuses an option
 */
export async function openPool (options: ThreadOptions): Promise<ThreadPool> {
  const filename = entryFile(entryPath)
  const { Piscina } = await loadPiscina(explainMissing)
  try {
    return new Piscina({ ...withDefaults(options), filename, name: 'run' })
  } catch (cause) {
    throw new errors.FST_BGT_INVALID_OPTIONS(`option "threads" is refused by piscina: ${(cause as Error).message}`, { cause })
  }
}

function explainMissing (cause: unknown): never {
  throw new errors.FST_BGT_THREAD('tasks with a file need the package piscina: npm install piscina', { cause })
}

/** Leaves one core to the event loop. Drops undefined options, which piscina would not take as absent. */
function withDefaults (options: ThreadOptions): ThreadOptions {
  const given: ThreadOptions = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  return { maxThreads: Math.max(1, availableParallelism() - 1, given.minThreads ?? 1), ...given }
}
