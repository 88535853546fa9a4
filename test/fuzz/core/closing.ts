import { once } from 'node:events'
import type { Added } from './added.js'
import type { World } from './world.js'

/** How long tasks may take to end after `closeTimeout`, and what it may take besides. */
const GRACE_MS = 1000
const MORE_MS = 50

/** Closes the app, and checks when it is closed. */
export async function closeWorld (world: World): Promise<void> {
  const { app, clock, plan } = world
  world.isClosing = true
  world.addedBeforeClose = world.added.length
  for (const added of world.added) added.endedBeforeClose = added.isFinal
  let begun = clock.time
  const server = app.server.listening ? once(app.server, 'close').then(() => { begun = clock.time }) : undefined
  server?.catch(() => {})
  await app.close()
  world.isClosed = true
  const { closeTimeout = 20 } = plan.options
  const took = clock.now - begun.now
  const ticks = clock.ticks - begun.ticks
  if (ticks > closeTimeout + 2 * GRACE_MS + MORE_MS) world.report(`close took ${ticks} ms`)
  for (const added of world.added) {
    const code = (added.task?.error as { code?: unknown } | undefined)?.code
    if (code === 'FST_BGT_CLOSING' && took < closeTimeout && !isForLater(added)) {
      world.report(`was given up after ${took} of ${closeTimeout} ms`, added)
    }
    if (added.counts && !added.isFinal) world.report(`is ${String(added.task?.state)} after close`, added)
  }
}

/** A hook of another plugin is called, which may take away what tasks use. */
export function checkClosing (world: World): void {
  for (const one of world.added.slice(0, world.addedBeforeClose)) {
    if (one.counts && !one.isFinal) world.report('has not ended where another plugin closes', one)
  }
}

/** A registered task that is to start later is not waited for. */
function isForLater ({ via, plan: { delay = 0 } }: Added): boolean {
  return via === 'registered' && delay > 0
}
