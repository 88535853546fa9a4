// Looks for plans that break a promise of the library: npm run fuzz -- [--seconds 60] [--seed N] [--path P]
import { parseArgs } from 'node:util'
import { fuzzCore } from './core/fuzz.js'

/** Runs that have a seed of their own. */
const BATCH = 50

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' }, path: { type: 'string' } }
})
const { path } = values
let seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed)
console.log(`seed ${seed}`)
const end = Date.now() + Number(values.seconds) * 1000
let batches = 0
try {
  if (path !== undefined) await fuzzCore({ seed, path }, 1)
  else for (; Date.now() < end; batches++) await fuzzCore({ seed: seed++ }, BATCH)
  console.log(`${batches * BATCH} runs, no rule broken`)
  process.exit(0)
} catch (error) {
  console.error((error as Error).message)
  process.exit(1)
}
