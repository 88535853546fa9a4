import fc, { type IAsyncProperty } from 'fast-check'

/** What a run is to be repeated with. */
export interface Seed {
  seed: number
  path?: string | undefined
}

/** How long a smaller example is looked for. */
const SHRINK_MS = 60_000

/**
 * Checks a property with so many examples. Rejects where it does not hold, with the smallest example that was found, and the
 * command that repeats it.
 */
export async function check<Example> (
  command: string, property: IAsyncProperty<[Example]>, { seed, path }: Seed, numRuns: number
): Promise<void> {
  const limit = { interruptAfterTimeLimit: SHRINK_MS, markInterruptAsFailure: false }
  const { failed, numShrinks, counterexample, counterexamplePath, errorInstance, ...result } =
    await fc.check(property, { seed, numRuns, ...limit, ...(path !== undefined && { path }) })
  if (!failed || counterexample === null) return
  throw new Error([
    `seed ${seed}, run ${result.numRuns}, shrunk ${numShrinks} times: ${String((errorInstance as Error).message)}`,
    `example: ${JSON.stringify(counterexample[0], undefined, 1).replaceAll(/\s*\n\s*/g, ' ')}`,
    `again: ${command} --seed ${seed} --path ${String(counterexamplePath)}`
  ].join('\n'))
}
