import type { Around, Task } from '../../types/index.js'
import { errors } from '../errors.js'

/** The `around` functions of the plugin and of a named task, the outer one first. */
export type Arounds = readonly [Around, ...Around[]]

/**
 * Calls the first of `arounds` with a function that calls the next one. The last of `arounds` is given `run`. When the first one
 * settles, this promise resolves to the result of `run` so far. `onLate`: called with an error of `run` after that.
 */
export async function callAround ([around, ...inner]: Arounds, task: Task, run: () => unknown, onLate: (error: unknown) => void): Promise<unknown> {
  const { attempt } = task
  let calls: 'none' | 'one' | 'over' = 'none'
  let result: unknown
  const next = isArounds(inner) ? () => callAround(inner, task, run, onLate) : run
  const runOnce = (): Promise<unknown> => {
    const isOver = calls === 'over' || task.state !== 'active' || task.attempt !== attempt
    const problem = isOver ? 'a call after the attempt was over' : calls === 'one' ? 'another call' : undefined
    if (problem !== undefined) return handled(Promise.reject(misuse(task, problem)), () => {})
    calls = 'one'
    const running = new Promise((resolve) => { resolve(next()) }).then((value) => (result = value))
    return handled(running, (error) => { if (calls === 'over') onLate(error) })
  }
  try {
    await around(task, runOnce)
    if (calls === 'none' && task.state === 'active' && task.attempt === attempt) throw misuse(task, 'no call')
    return result
  } finally {
    calls = 'over'
  }
}

/** Puts `inner` inside the functions of `outer`. */
export function nestAround (outer: Arounds | undefined, inner: Around | undefined): Arounds | undefined {
  if (inner === undefined) return outer
  return outer === undefined ? [inner] : [...outer, inner]
}

function isArounds (arounds: readonly Around[]): arounds is Arounds {
  return arounds.length > 0
}

/** Handles the rejection of a promise that an `around` may ignore. */
function handled<Value> (promise: Promise<Value>, onError: (error: unknown) => void): Promise<Value> {
  promise.catch(onError)
  return promise
}

function misuse ({ name }: Task, received: string): Error {
  return new errors.FST_BGT_INVALID_OPTIONS(`option "around" must call run once for each attempt of task "${name}", received ${received}`)
}
