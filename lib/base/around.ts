import type { Around, Task } from '../../types/index.js'
import { errors } from '../errors.js'

/** Those of the plugin and of a named task, the outer one first. */
export type Arounds = readonly [Around, ...Around[]]

/** Has the first of `arounds` call the next one, and the last one `run`. Resolves to what `run` has given by the time that the first settles. */
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
    if (calls === 'none' && task.state === 'active') throw misuse(task, 'no call')
    return result
  } finally {
    calls = 'over'
  }
}

/** `outer`, then `inner`. */
export function nestAround (outer: Arounds | undefined, inner: Around | undefined): Arounds | undefined {
  if (inner === undefined) return outer
  return outer === undefined ? [inner] : [...outer, inner]
}

function isArounds (arounds: readonly Around[]): arounds is Arounds {
  return arounds.length > 0
}

/** The promise, which an `around` need not look at. */
function handled<Value> (promise: Promise<Value>, onError: (error: unknown) => void): Promise<Value> {
  promise.catch(onError)
  return promise
}

function misuse ({ name }: Task, received: string): Error {
  return new errors.FST_BGT_INVALID_OPTIONS(`option "around" must call run once for each attempt of task "${name}", received ${received}`)
}
