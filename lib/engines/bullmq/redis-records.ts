import type * as Bullmq from 'bullmq'
import { parseOrText } from './json-or-text.js'
import { CANCELLED, type CancelAnswer, type Records } from './records.js'

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
return { stateOf(ARGV[2]), unpack(redis.call('HMGET', key, 'name', 'timestamp', 'atm', 'ats', 'processedOn', 'finishedOn',
  'progress', 'returnvalue', 'failedReason', 'error', 'startedAt', 'cancelled')) }
`

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
 * KEYS: the job, the set of delayed jobs. ARGV: the start of all keys, the id, the mark, the reason for BullMQ. The field `defa`,
 * a deferred failure, keeps the job from running again. The failed child keeps the job from completing.
 */
const CANCEL = `
local key = KEYS[1]
if redis.call('EXISTS', key) == 0 or redis.call('HEXISTS', key, 'finishedOn') == 1 then return 'none' end
local fields = redis.call('HMGET', key, 'ats', 'deid')
local mark = '{"during":' .. (fields[1] or '0') .. ',' .. string.sub(ARGV[3], 2)
if redis.call('HSETNX', key, 'cancelled', mark) == 0 then return 'again' end
redis.call('HSET', key, 'defa', ARGV[4])
redis.call('ZADD', key .. ':unsuccessful', 0, key .. ':cancelled')
local dedup = fields[2] and ARGV[1] .. 'de:' .. fields[2]
if dedup and redis.call('GET', dedup) == ARGV[2] then redis.call('DEL', dedup) end
return redis.call('ZSCORE', KEYS[2], ARGV[2]) and 'delayed' or 'other'
`

/** KEYS: the job. ARGV: a field and its value. A removed job must not come back. */
const NOTE = `
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
`

const COMMANDS = {
  backgroundTaskRead: { numberOfKeys: 4, lua: READ, readOnly: true },
  backgroundTaskLook: { numberOfKeys: 4, lua: LOOK, readOnly: true },
  backgroundTaskCancel: { numberOfKeys: 2, lua: CANCEL },
  backgroundTaskNote: { numberOfKeys: 1, lua: NOTE }
}

/** The answer of `READ`: the state of a job and fields of its hash. An absent field is null. */
type Fields = [
  state: Bullmq.JobState, name: string, timestamp: string, atm: string | null, ats: string | null, processedOn: string | null,
  finishedOn: string | null, progress: string | null, returnvalue: string | null, failedReason: string | null,
  error: string | null, startedAt: string | null, cancelled: string | null
]

/** The jobs of a queue in Redis. */
export function redisRecords (backend: Bullmq.RedisQueueBackend): Records {
  const { keys } = backend
  const base = keys[''] as string
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
    async read (id) {
      const fields = await run<Fields | null>('backgroundTaskRead', [...sets, base, id])
      if (fields === null) return undefined
      const [state, name, timestamp, atm, ats, processedOn, finishedOn, progress, returnvalue, failedReason, error, startedAt, cancelled] = fields
      return {
        id,
        name,
        state,
        attemptsMade: Number(atm),
        attemptsStarted: Number(ats),
        timestamp: Number(timestamp),
        processedOn: numberOf(processedOn),
        finishedOn: numberOf(finishedOn),
        progress: parseOrText(progress),
        returnvalue: parseOrText(returnvalue),
        failedReason: failedReason ?? undefined,
        error: parseOrText(error),
        startedAt: numberOf(startedAt),
        cancelled: parseOrText(cancelled)
      }
    },
    async look (ids) {
      const looks = await run<Array<[string, string, string | null]>>('backgroundTaskLook', [...sets, base, ...ids])
      return looks.map(([id, version, cancelled]) => ({ id, version, cancelled: parseOrText(cancelled) }))
    },
    async cancel (id, mark) {
      // The mark always has the field `at`. The script puts the field `during` in front of it.
      return await run<CancelAnswer>('backgroundTaskCancel', [base + id, keys.delayed, base, id, JSON.stringify(mark), CANCELLED])
    },
    async note (id, name, value) {
      await run('backgroundTaskNote', [base + id, name, JSON.stringify(value)])
    }
  }
}

function numberOf (text: string | null): number | undefined {
  return text === null ? undefined : Number(text)
}
