import type { Engine } from '../../../types/index.js'
import { Bench } from './bench.js'
import { running } from './running.js'
import { scheduling } from './scheduling.js'
import { sharing } from './sharing.js'

/** One promise of the engine contract, as a test. */
export interface ConformanceCase {
  name: string
  /** Resolves if the engine keeps the promise, rejects if it does not. */
  run: () => Promise<void>
}

export interface ConformanceOptions {
  /**
   * Whether all engines that the factory makes share one store, as those of several processes do.
   * @default false
   */
  shared?: boolean
}

/**
 * The engine contract as tests, for any test runner:
 * `for (const { name, run } of engineConformance(createEngine)) test(name, run)`.
 * Each case makes engines of its own on an empty or shared store and closes them. Give the runner a time limit: an
 * engine that loses a task makes its case wait for ever.
 */
export function engineConformance (
  create: () => Engine | Promise<Engine>, { shared = false }: ConformanceOptions = {}
): ConformanceCase[] {
  return Object.entries({ ...running, ...scheduling, ...(shared && sharing) }).map(([name, check]) => ({
    name,
    async run () {
      const benches: Bench[] = []
      const open = async (): Promise<Bench> => {
        const bench = new Bench(await create())
        benches.push(bench)
        return bench
      }
      try {
        await check(await open(), open)
      } finally {
        for (const bench of benches) await bench.close()
      }
    }
  }))
}
