// Looks for plans that break a promise of the library, or of a store:
// npm run fuzz -- [--store memory | redis | postgres] [--seconds 60] [--seed N] [--path P]
import { parseArgs } from 'node:util'
import { fuzzCore } from './core/fuzz.js'
import type { Seed } from './report.js'
import { fuzzStore } from './stored/fuzz.js'
import { stores } from './stored/stores.js'

/** Runs that have a seed of their own. */
const BATCH = 50

const { values } = parseArgs({
  options: { store: { type: 'string' }, seconds: { type: 'string', default: '60' }, seed: { type: 'string' }, path: { type: 'string' } }
})
const { path, store: name } = values
let seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed)
console.log(`seed ${seed}`)

const store = name === undefined ? undefined : await stores[name as keyof typeof stores]()
const fuzz = async (seed: Seed, runs: number): Promise<void> => {
  await (store === undefined ? fuzzCore(seed, runs) : fuzzStore(name!, store, seed, runs))
}
let batches = 0
let hasFailed = false
try {
  const end = Date.now() + Number(values.seconds) * 1000
  if (path !== undefined) await fuzz({ seed, path }, 1)
  else for (; Date.now() < end; batches++) await fuzz({ seed: seed++ }, BATCH)
  console.log(`${path === undefined ? batches * BATCH : 1} runs, no rule broken`)
} catch (error) {
  console.error((error as Error).message)
  hasFailed = true
}
await store?.stop()
process.exit(hasFailed ? 1 : 0)
