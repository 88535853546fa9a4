import type { Engine, FlushOptions, TransactionClient } from '../../types/index.js'
import { describe, errors } from '../errors.js'
import { type Rules, checkOptions } from './rules.js'

const RULES: Rules<FlushOptions> = {
  client: {
    must: 'an object with a function "query"',
    check: (value: Partial<TransactionClient> | null) => typeof value?.query === 'function'
  },
  // The outbox checks the tasks.
  tasks: { must: 'an array of tasks', check: Array.isArray }
}

/** @throws FST_BGT_INVALID_OPTIONS when an option of `flush` is wrong, or the engine cannot use the client */
export function flushOptions (options: FlushOptions, engine: Engine): FlushOptions {
  checkOptions(options, RULES)
  if (options.client === undefined || engine.transactional === true) return options
  throw new errors.FST_BGT_INVALID_OPTIONS(
    `option "client" needs an engine with transactions, such as bullmqEngine({ postgres }), received ${describe(engine)}`)
}
