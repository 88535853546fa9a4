import t from 'tap'
import { fuzzCore } from './core/fuzz.js'

// More of them, with other seeds: npm run fuzz.
t.test('no random plan of requests, tasks and closing breaks a promise of the library', async () => {
  await fuzzCore({ seed: 12 }, 150)
})
