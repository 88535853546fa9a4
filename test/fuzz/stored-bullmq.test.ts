import t from 'tap'
import { withoutPostgres } from '../support/postgres.js'
import { withoutRedis } from '../support/redis.js'
import { fuzzStore } from './stored/fuzz.js'
import { stores } from './stored/stores.js'

t.setTimeout(90_000)

// More of them, with other seeds: npm run fuzz -- --store redis, or postgres.
for (const [name, skip, runs] of [['redis', withoutRedis, 30], ['postgres', withoutPostgres, 10]] as const) {
  t.test(`no random plan shows a difference between ${name} and the model`, { skip }, async (t) => {
    const store = await stores[name]()
    t.teardown(() => store.stop())
    await fuzzStore(name, store, { seed: 12 }, runs)
  })
}
