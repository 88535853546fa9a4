// What runs in a thread. It is CommonJS in both builds, because a thread starts from a path, and a module that is
// compiled to both formats cannot know its own: `import.meta` is a syntax error in one, `__filename` missing in the other.
// Both have the file of the ECMAScript build: the compiler of the other makes a require() of import(), which takes no URL.
import { createRequire } from 'node:module'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { parentPort } from 'node:worker_threads'
import type { ThreadTask } from '../../types/index.js' with { 'resolution-mode': 'import' }
import type { KeyedCall, ThreadMessage, ThreadOutcome, Thrown } from './call.js' with { 'resolution-mode': 'import' }

type TaskFunction = (payload: unknown, task: ThreadTask) => unknown

// A loader that has read this file itself gives it a `require` that lacks `extensions`.
const fullRequire = createRequire(__filename)

/** Runs one attempt. Rejects only if the thread itself is at its end. */
async function run ({ key, file, payload, id, name, attempt }: KeyedCall): Promise<ThreadOutcome> {
  const reported = { reports: 0, progress: '' }
  const task: ThreadTask = {
    id,
    name,
    attempt,
    progress (value) {
      const json = JSON.stringify(value) as string | undefined
      if (json === undefined) throw new TypeError(`progress must be JSON, received ${inspect(value)}`)
      reported.reports++
      reported.progress = json
      say({ backgroundTask: key, progress: json })
    }
  }

  // The file may never return, so what the thread has to say it says at once.
  say({ backgroundTask: key })
  let fn: TaskFunction
  try {
    fn = await load(file)
  } catch (error) {
    return { thrown: toThrown(error), isFileAtFault: true, ...reported }
  }
  let result: unknown
  try {
    result = await fn(payload, task)
  } catch (error) {
    return { thrown: toThrown(error), ...reported }
  }
  if (isCloneable(result)) return { result, ...reported }
  const error = new TypeError(`its result cannot be copied, received ${inspect(result)}`)
  return { thrown: toThrown(error), isFileAtFault: true, ...reported }
}

function say (message: ThreadMessage): void {
  parentPort?.postMessage(message)
}

async function load (file: string): Promise<TaskFunction> {
  const fn = defaultOf(await loadModule(file))
  if (typeof fn !== 'function') throw new TypeError(`its default export must be a function, received ${inspect(fn)}`)
  return fn as TaskFunction
}

/** Imports the file; requires one that only a hook on require knows, which is all that tsx gives to a thread of Node 20. */
async function loadModule (file: string): Promise<unknown> {
  try {
    return await import(file)
  } catch (error) {
    const isHooked = (error as { code?: unknown } | null)?.code === 'ERR_UNKNOWN_FILE_EXTENSION' && extname(file) in fullRequire.extensions
    if (!isHooked) throw error
    return fullRequire(fileURLToPath(file))
  }
}

/** The default export; of a CommonJS module compiled from an ECMAScript one, the one that was written. */
function defaultOf (module: unknown): unknown {
  if (typeof module === 'function') return module
  const outer = (module as { default?: unknown }).default
  const inner = typeof outer === 'object' && outer !== null ? (outer as { default?: unknown }).default : undefined
  return inner ?? outer
}

function toThrown (value: unknown): Thrown {
  if (!(value instanceof Error)) return { value: isCloneable(value) ? value : inspect(value) }
  const fields = Object.entries(value).filter(([, field]) => isCloneable(field))
  return { value: clonedAsError(value) ? value : plainError(value), name: value.name, fields: Object.fromEntries(fields) }
}

function isCloneable (value: unknown): boolean {
  try {
    structuredClone(value)
    return true
  } catch {
    return false
  }
}

/** Not so an error whose cause cannot be cloned, nor, on Node 20, a DOMException. */
function clonedAsError (error: Error): boolean {
  return isCloneable(error) && structuredClone(error) instanceof Error
}

function plainError ({ message, stack }: Error): Error {
  const error = new Error(message)
  if (stack !== undefined) error.stack = stack
  return error
}

export = { path: __filename, run }
