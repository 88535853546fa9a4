import { test } from 'tap'
import { memoryEngine } from '../../lib/engines/memory/memory-engine.js'
import { engineConformance } from '../../lib/testing.js'

for (const { name, run } of engineConformance(memoryEngine, { local: true })) {
  test(`in memory, ${name}`, run)
}
