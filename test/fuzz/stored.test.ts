import t from 'tap'
import { fuzzStore } from './stored/fuzz.js'
import { memoryStore } from './stored/memory-store.js'

// More of them, with other seeds: npm run fuzz -- --store memory.
t.test('no random plan shows a difference between the engine in memory and the model', async () => {
  await fuzzStore('memory', memoryStore, { seed: 12 }, 60)
})
