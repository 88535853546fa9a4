import type { TaskQuery } from '../../types/index.js'
import { type Rules, checkOptions, integer, oneOf, text } from './rules.js'

const LIST_RULES: Rules<TaskQuery> = {
  state: { ...oneOf('waiting', 'active', 'delayed', 'completed', 'failed', 'cancelled', 'skipped'), required: true },
  name: text,
  limit: integer(1, 200),
  cursor: text
}

/** @throws FST_BGT_INVALID_OPTIONS when a part of the query is wrong. `Cursor` checks what the cursor says. */
export function listQuery (query: TaskQuery): TaskQuery & { limit: number } {
  checkOptions(query, LIST_RULES)
  return { ...query, limit: query.limit ?? 50 }
}
