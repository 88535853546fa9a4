import { until } from '../../support/until.js'
import type { Entry } from './entry.js'
import { isFinal } from './entry.js'
import { Model } from './model.js'
import type { StoredStep, StoredSteps } from './plan.js'
import { type FuzzStore, StoreApp } from './store-app.js'

/** How long a busy machine may take to run what is due. */
const SETTLED_MS = 40_000

let queues = 0

/** Does what the plan says on a queue of its own, and rejects with all in which the store and the model differ. */
export async function runOnStore (store: FuzzStore, { concurrency, steps }: StoredSteps): Promise<void> {
  const queue = `fuzz-${queues++}`
  const model = new Model()
  const open = async (): Promise<StoreApp> => await StoreApp.open(model, await store.open(queue), concurrency)
  let current = await open()
  try {
    for (const step of steps) {
      if (step.do === 'reopen') {
        await current.app.close()
        model.reopen(store.isKept)
        current = await open()
      } else await runStep(model, current, step)
    }
    await settle(model, current)
  } catch (error) {
    model.report(String(error))
  } finally {
    await current.app.close()
  }
  if (model.broken.length > 0) throw new Error(model.broken.join('\n'))
}

async function runStep (model: Model, current: StoreApp, step: StoredStep): Promise<void> {
  const { backgroundTasks } = current.app
  switch (step.do) {
    case 'add': {
      model.addingAt = Date.now()
      const ids = await current.add(step.tasks, step.clear === true)
      for (const [index, plan] of step.tasks.entries()) {
        const id = ids[index]!
        if (step.clear !== true) model.stored(plan, id)
        // One with a key may be that of an earlier request.
        else if (!model.entries.has(id)) model.dropped.add(id)
      }
      return
    }
    case 'release': return release(model, current)
    case 'settle': return await settle(model, current)
    case 'reopen': return
  }
  const entry = [...model.entries.values()].at(step.n % (model.entries.size || 1))
  if (entry === undefined) return
  if (step.do === 'get') model.see(entry, await backgroundTasks.get(entry.id))
  else await cancel(model, current, entry)
}

async function cancel (model: Model, { app }: StoreApp, entry: Entry): Promise<void> {
  const { isEnded, isSurelyUnfinished } = entry
  const effect = await app.backgroundTasks.cancel(entry.id, 'fuzz')
  if (effect && (isEnded || entry.isLost)) model.report('had ended, and a cancel had an effect', entry)
  if (!effect && isSurelyUnfinished) model.report('has not ended, and a cancel had no effect', entry)
  if (effect) entry.isCancelled = true
  else if (!entry.isLost && !entry.isCancelled && !isFinal(await app.backgroundTasks.get(entry.id))) model.report('has not ended where a cancel had no effect', entry)
}

function release ({ entries }: Model, current: StoreApp): void {
  for (const entry of entries.values()) entry.isReleased = true
  current.release()
}

/** Waits until all has ended that can, and compares it with the model. */
async function settle (model: Model, current: StoreApp): Promise<void> {
  release(model, current)
  current.release(true)
  const { backgroundTasks } = current.app
  for (const entry of model.entries.values()) {
    if (entry.willEnd) await until(async () => isFinal(await backgroundTasks.get(entry.id)), SETTLED_MS)
    model.see(entry, await backgroundTasks.get(entry.id))
  }
  current.hold()
}
