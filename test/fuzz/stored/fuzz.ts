import fc from 'fast-check'
import { type Seed, check } from '../report.js'
import { storedSteps } from './plan.js'
import { runOnStore } from './run.js'
import type { FuzzStore } from './store-app.js'

/** Runs so many random plans on a store, of which the command knows the name. */
export async function fuzzStore (name: string, store: FuzzStore, seed: Seed, runs: number): Promise<void> {
  await check(`npm run fuzz -- --store ${name}`, fc.asyncProperty(storedSteps, (steps) => runOnStore(store, steps)), seed, runs)
}
