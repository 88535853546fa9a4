import type * as Bullmq from 'bullmq'
import { parseOrText } from './json-or-text.js'
import type { Overview } from './overview.js'
import { toPayload } from './jobs.js'
import { BELL, CANCELLED, type CancelAnswer, type Records } from './records.js'
import { redisOverview } from './redis-overview.js'
import { OVERVIEW_COMMANDS } from './redis-overview-scripts.js'
import { FIELDS, type Fields, toRecord } from './redis-rows.js'

/** How long the bell of a queue is kept after it has rung. A worker reads it at once, or looks at its tasks anyway. */
const BELL_SECONDS = 60

/** How many waiting jobs a cancellation searches. */
const SEARCHED_JOBS = 1000

/** KEYS: the sets of completed, failed, delayed and active jobs. ARGV[1]: the start of all keys. */
const STATE = `
local active = {}
for _, id in ipairs(redis.call('LRANGE', KEYS[4], 0, -1)) do active[id] = true end
local function stateOf (id)
  if redis.call('ZSCORE', KEYS[1], id) then return 'completed' end
  if redis.call('ZSCORE', KEYS[2], id) then return 'failed' end
  if redis.call('ZSCORE', KEYS[3], id) then return 'delayed' end
  return active[id] and 'active' or 'waiting'
end
`

/** ARGV[2]: an id. */
const READ = `${STATE}
local key = ARGV[1] .. ARGV[2]
if redis.call('EXISTS', key) == 0 then return false end
return { stateOf(ARGV[2]), redis.call('HMGET', key, 'progress', 'returnvalue', ${FIELDS}) }
`

/** KEYS: the job. */
const PAYLOAD = "return redis.call('HMGET', KEYS[1], 'data', 'opts')"

/** ARGV[2] and on: ids. */
const LOOK = `${STATE}
local looks = {}
for i = 2, #ARGV do
  local fields = redis.call('HMGET', ARGV[1] .. ARGV[i], 'timestamp', 'atm', 'ats', 'cancelled', 'progress')
  local version = fields[1] and { stateOf(ARGV[i]), tostring(fields[2]), tostring(fields[3]), tostring(fields[4]), tostring(fields[5]) }
  looks[i - 1] = { ARGV[i], version and redis.sha1hex(table.concat(version, ' ')) or '', fields[4] }
end
return looks
`

/**
 * KEYS: the job, the sets of delayed, prioritized and failed jobs, the list of waiting jobs, the events, the bell. ARGV: the start
 * of all keys, the id, the mark, the reason for BullMQ, the time.
 * A job that no worker has ends at once, except in a long list, which takes long to search: there a worker ends it.
 * For BullMQ, the mark is a deferred failure and a failed child. The deferred failure keeps the job from running again. The failed
 * child keeps the job from completing.
 */
const CANCEL = `
local key, id, reason = KEYS[1], ARGV[2], ARGV[4]
if redis.call('EXISTS', key) == 0 or redis.call('HEXISTS', key, 'finishedOn') == 1 then return 'none' end
local fields = redis.call('HMGET', key, 'ats', 'deid')
local mark = '{"during":' .. (fields[1] or '0') .. ',' .. string.sub(ARGV[3], 2)
if redis.call('HSETNX', key, 'cancelled', mark) == 0 then return 'again' end
local dedup = fields[2] and ARGV[1] .. 'de:' .. fields[2]
if dedup and redis.call('GET', dedup) == id then redis.call('DEL', dedup) end
if redis.call('ZREM', KEYS[2], id) == 0 and redis.call('ZREM', KEYS[3], id) == 0 and
  (redis.call('LLEN', KEYS[5]) > ${SEARCHED_JOBS} or redis.call('LREM', KEYS[5], -1, id) == 0) then
  redis.call('HSET', key, 'defa', reason)
  redis.call('ZADD', key .. ':unsuccessful', 0, key .. ':cancelled')
  redis.call('XADD', KEYS[6], '*', 'event', 'cancel', 'jobId', id)
  redis.call('XADD', KEYS[7], 'MAXLEN', 1, '*', 'event', 'cancel')
  redis.call('EXPIRE', KEYS[7], ${BELL_SECONDS})
  return 'marked'
end
redis.call('HSET', key, 'finishedOn', ARGV[5], 'failedReason', reason)
redis.call('ZADD', KEYS[4], ARGV[5], id)
redis.call('XADD', KEYS[6], '*', 'event', 'failed', 'jobId', id, 'failedReason', reason, 'prev', 'waiting')
return 'ended'
`

/** KEYS: the job. ARGV: a field and its value. A removed job must not come back. */
const NOTE = `
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
`

const COMMANDS = {
  backgroundTaskRead: { numberOfKeys: 4, lua: READ, readOnly: true },
  backgroundTaskPayload: { numberOfKeys: 1, lua: PAYLOAD, readOnly: true },
  backgroundTaskLook: { numberOfKeys: 4, lua: LOOK, readOnly: true },
  backgroundTaskCancel: { numberOfKeys: 7, lua: CANCEL },
  backgroundTaskNote: { numberOfKeys: 1, lua: NOTE },
  ...OVERVIEW_COMMANDS
}

/** The jobs of a queue in Redis. */
export function redisRecords (backend: Bullmq.RedisQueueBackend): Records & Overview {
  const { keys } = backend
  const base = keys[''] as string
  const bell = `${base.slice(0, -1)}${BELL}:events`
  const sets = [keys.completed, keys.failed, keys.delayed, keys.active]
  const defined = new WeakSet<object>()

  async function run<Answer> (command: keyof typeof COMMANDS, args: unknown[]): Promise<Answer> {
    const client = await backend.client
    if (!defined.has(client)) {
      for (const [name, definition] of Object.entries(COMMANDS)) client.defineCommand(name, definition)
      defined.add(client)
    }
    return await client.runCommand(command, args)
  }

  return {
    ...redisOverview(keys, run),
    async read (id) {
      const found = await run<[Bullmq.JobState, Fields] | null>('backgroundTaskRead', [...sets, base, id])
      return found === null ? undefined : toRecord(id, ...found)
    },
    async payload (id) {
      const [data, opts] = await run<[string | null, string | null]>('backgroundTaskPayload', [base + id])
      return data === null ? undefined : toPayload(parseOrText(data), parseOrText(opts))
    },
    async look (ids) {
      const looks = await run<Array<[string, string, string | null]>>('backgroundTaskLook', [...sets, base, ...ids])
      return looks.map(([id, version, cancelled]) => ({ id, version, cancelled: parseOrText(cancelled) }))
    },
    async cancel (id, mark) {
      // The mark always has the field `at`. The script puts the field `during` in front of it.
      const { delayed, prioritized, failed, wait, events } = keys
      return await run<CancelAnswer>('backgroundTaskCancel',
        [base + id, delayed, prioritized, failed, wait, events, bell, base, id, JSON.stringify(mark), CANCELLED, mark.at])
    },
    async note (id, name, value) {
      await run('backgroundTaskNote', [base + id, name, JSON.stringify(value)])
    }
  }
}
