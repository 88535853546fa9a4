import fc from 'fast-check'
import { type Seed, check } from '../report.js'
import { plan } from './plan.js'
import { runPlan } from './run.js'

/** Runs so many random plans. */
export async function fuzzCore (seed: Seed, runs: number): Promise<void> {
  await check('npm run fuzz --', fc.asyncProperty(plan, runPlan), seed, runs)
}
