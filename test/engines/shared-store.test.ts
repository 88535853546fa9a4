import { test } from 'tap'
import { engineConformance } from '../../lib/testing.js'
import { createDistantEngine } from '../support/engine.js'
import { type SharedEngine, SharedStore } from '../support/shared-store.js'

const store = new SharedStore()

for (const { name, run } of engineConformance(store.createEngine, { shared: true, crash: (engine) => { (engine as SharedEngine).crash() } })) {
  test(`with a shared store, ${name}`, run)
}

for (const { name, run } of engineConformance(() => createDistantEngine())) {
  test(`of the engine that tests use, ${name}`, run)
}
