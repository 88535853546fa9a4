import type { Engine } from '../../../types/index.js'
import { keys } from './keys.js'
import { knownIds } from './known-ids.js'
import { looking } from './looking.js'
import { retryingOnce } from './retrying-once.js'
import { retrying } from './retrying.js'
import { Rig } from './rig.js'
import { running } from './running.js'
import { scheduling } from './scheduling.js'
import { recovery, sharing } from './sharing.js'
import { staying } from './staying.js'
import { watching } from './watching.js'

/** One promise of the engine contract, as a test. */
export interface ConformanceCase {
  name: string
  /** Resolves if the engine keeps the promise, and rejects if not. */
  run: () => Promise<void>
}

export interface ConformanceOptions {
  /**
   * Whether all engines of the factory share one store, as the engines of several processes do.
   * @default false
   */
  shared?: boolean
  /**
   * Whether tasks never leave the process of their engine, as `findLocal` says.
   * @default false
   */
  local?: boolean
  /**
   * Ends an engine as the death of its process would: no running task is given back. With `crash` and `shared`, the suite checks
   * that another worker runs the lost tasks.
   */
  crash?: (engine: Engine) => void | Promise<void>
}

/**
 * The engine contract as tests, for any test runner:
 * `for (const { name, run } of engineConformance(createEngine)) test(name, run)`.
 * Each case makes engines of its own and closes them. The store may be empty, or shared by all cases. Give the test runner a time
 * limit: an engine that loses a task makes its case wait for ever.
 */
export function engineConformance (
  create: () => Engine | Promise<Engine>, { shared = false, local = false, crash }: ConformanceOptions = {}
): ConformanceCase[] {
  const checks = {
    ...running,
    ...scheduling,
    ...keys,
    ...knownIds,
    ...looking,
    ...watching,
    ...retrying,
    ...retryingOnce,
    ...(local && staying),
    ...(shared && sharing),
    ...(shared && crash !== undefined && recovery(crash))
  }
  return Object.entries(checks).map(([name, check]) => ({
    name,
    async run () {
      const rigs: Rig[] = []
      const open = async (): Promise<Rig> => {
        const rig = new Rig(await create())
        rigs.push(rig)
        return rig
      }
      const [checked] = await Promise.allSettled([open().then((rig) => check(rig, open))])
      const closed = await Promise.allSettled(rigs.map((rig) => rig.close()))
      // A failed check comes first: it tells more than a failed close after it.
      for (const end of [checked, ...closed]) if (end.status === 'rejected') throw end.reason
    }
  }))
}
