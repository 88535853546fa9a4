import { pump } from './pump.js'
import type { World } from './world.js'

export function runCaptured (world: World): void {
  const { capture } = world
  if (capture === undefined || world.captured !== undefined) return
  world.captured = capture.run().catch((error) => {
    if (!(error instanceof AggregateError)) world.report(`run of captured tasks: ${String(error)}`)
  }).finally(() => { world.captured = undefined })
}

export function clearCaptured ({ capture, added }: World): void {
  if (capture === undefined) return
  for (const { args: [at] } of capture.tasks) added[(at as { at?: number }).at ?? at as number]!.isForgotten = true
  capture.clear()
}

export function restore (world: World): void {
  world.capture?.restore()
  world.capture = undefined
}

/** Captured tasks do not hold up close, and a test waits for them before it. */
export async function endCaptured (world: World): Promise<void> {
  if (world.captured === undefined) return
  await pump(world, 'run of captured tasks', world.captured, () => { world.release() })
}
