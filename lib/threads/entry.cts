// The code that runs in a thread. The file is CommonJS in both builds, so that import() stays import(): see base/modules.cts.
import { createRequire } from 'node:module'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect, types } from 'node:util'
import { parentPort } from 'node:worker_threads'
import type { ThreadTask } from '../../types/index.js' with { 'resolution-mode': 'import' }
import type { KeyedCall, ThreadMessage, ThreadOutcome, Thrown } from './call.js' with { 'resolution-mode': 'import' }

const UNREADABLE = 'an error that cannot be read'

type TaskFunction = (payload: unknown, task: ThreadTask) => unknown

/** Runs one attempt. Rejects only when the thread itself ends. */
export async function run ({ key, file, payload, id, name, attempt }: KeyedCall): Promise<ThreadOutcome> {
  const reported = { reports: 0, progress: '' }
  const task: ThreadTask = {
    id,
    name,
    attempt,
    progress (value) {
      const json = JSON.stringify(value) as string | undefined
      if (json === undefined) throw new TypeError(`progress must be JSON, received ${show(value)}`)
      reported.reports++
      reported.progress = json
      say({ backgroundTask: key, progress: json })
    }
  }

  // The file may never return, so the message that the call begins is sent first.
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
  const copied = copyOf(result)
  if (copied !== undefined) return { result: copied.copy, ...reported }
  const error = new TypeError(`its result cannot be copied, received ${show(result)}`)
  return { thrown: toThrown(error), isFileAtFault: true, ...reported }
}

function say (message: ThreadMessage): void {
  parentPort?.postMessage(message)
}

async function load (file: string): Promise<TaskFunction> {
  const fn = defaultOf(await loadModule(file))
  if (typeof fn !== 'function') throw new TypeError(`its default export must be a function, received ${show(fn)}`)
  return fn as TaskFunction
}

/** Imports the file, or requires it if only a hook on require knows its extension. In threads of Node.js 20, tsx has no other. */
async function loadModule (file: string): Promise<unknown> {
  try {
    return await import(file)
  } catch (error) {
    if (codeOf(error) !== 'ERR_UNKNOWN_FILE_EXTENSION') throw error
    // If a loader has compiled this file, its own `require` lacks `extensions`.
    const fullRequire = createRequire(__filename)
    if (!(extname(file) in fullRequire.extensions)) throw error
    return fullRequire(fileURLToPath(file))
  }
}

/** The default export. A CommonJS module that was compiled from an ECMAScript module has it one level deeper. */
function defaultOf (module: unknown): unknown {
  if (typeof module === 'function') return module
  const outer = (module as { default?: unknown }).default
  const inner = typeof outer === 'object' && outer !== null ? (outer as { default?: unknown }).default : undefined
  return inner ?? outer
}

/** A thrown value in a form that can leave the thread. Its getters and traps may throw, and must not hide the failure. */
function toThrown (value: unknown): Thrown {
  try {
    return types.isNativeError(value) || value instanceof Error ? thrownError(value) : { value: thrownValue(value) }
  } catch {
    // Any trap of a proxy may throw.
    return { value: new Error(UNREADABLE), name: 'Error' }
  }
}

function thrownError (error: Error): Thrown {
  const fields: Record<string, unknown> = {}
  for (const key of Object.keys(error)) {
    const copied = copyOf(read(error, key))
    if (copied !== undefined) fields[key] = copied.copy
  }
  const copy = copyOf(error)?.copy
  // The clone of an error is no error if its cause cannot be cloned. The same holds for a DOMException on Node.js 20.
  return { value: copy instanceof Error ? copy : plainError(error), name: String(read(error, 'name', 'Error')), fields }
}

function thrownValue (value: unknown): unknown {
  const copied = copyOf(value)
  return copied === undefined ? show(value) : copied.copy
}

function plainError (error: Error): Error {
  const plain = new Error(String(read(error, 'message', UNREADABLE)))
  const stack = read(error, 'stack')
  if (stack !== undefined) plain.stack = String(stack)
  return plain
}

/** The structured clone of the value, or undefined when the value cannot be cloned. */
function copyOf (value: unknown): { readonly copy: unknown } | undefined {
  try {
    return { copy: structuredClone(value) }
  } catch {
    return undefined
  }
}

function show (value: unknown): string {
  try {
    return inspect(value)
  } catch {
    // The value may have an `inspect` method of its own that throws.
    return 'an object'
  }
}

/** The `code` of any thrown value. */
function codeOf (thrown: unknown): unknown {
  return read(Object(thrown), 'code')
}

/** The value of a property, or `otherwise` when its getter throws. */
function read (object: object, key: string, otherwise?: unknown): unknown {
  try {
    return (object as Record<string, unknown>)[key]
  } catch {
    return otherwise
  }
}
