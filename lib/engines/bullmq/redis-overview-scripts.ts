import { MAX_VALUE_BYTES } from './overview.js'
import { FIELDS } from './redis-rows.js'

/** How many jobs of a list are searched for the job of a cursor: a few milliseconds. Farther on, its place counts. */
const SEARCHED_JOBS = 200_000

/**
 * KEYS: lists and sets. ARGV: the start of all keys, the kind of each of KEYS to go through, in their order, the name or '',
 * whether jobs must have a mark ('' for any), how many jobs to give, how many to look at, and the cursor: the number of the
 * list or set, the score and the id of its last job. In a list, the place of a job is its score.
 * A list is read from its tail, where the oldest job is. A job that has left a list was at the tail, as those before it.
 */
const LIST = `
local base, kinds, name, mark = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local limit, scan, first = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local score, last = ARGV[8], ARGV[9]
local rows, scanned = {}, 0

local function startIn (key, kind)
  if last == '' then return 0 end
  if kind == 'l' then
    local at = redis.call('LPOS', key, last, 'RANK', -1, 'MAXLEN', ${SEARCHED_JOBS})
    if at then return redis.call('LLEN', key) - at end
    return tonumber(score) < ${SEARCHED_JOBS} and 0 or tonumber(score) + 1
  end
  local rank = redis.call(kind == 'z' and 'ZRANK' or 'ZREVRANK', key, last)
  if rank then return rank + 1 end
  if kind == 'z' then return redis.call('ZCOUNT', key, '-inf', '(' .. score) end
  return redis.call('ZCOUNT', key, '(' .. score, '+inf')
end

local function window (key, kind, start, size)
  local ids, scores = {}, {}
  if kind == 'l' then
    local found = redis.call('LRANGE', key, -(start + size), -(start + 1))
    for i = #found, 1, -1 do
      ids[#ids + 1] = found[i]
      scores[#scores + 1] = string.format('%d', start + #scores)
    end
  else
    local found = redis.call(kind == 'z' and 'ZRANGE' or 'ZREVRANGE', key, start, start + size - 1, 'WITHSCORES')
    for i = 1, #found, 2 do
      ids[#ids + 1] = found[i]
      scores[#scores + 1] = found[i + 1]
    end
  end
  return ids, scores
end

local function short (key, field)
  return redis.call('HSTRLEN', key, field) <= ${MAX_VALUE_BYTES} and redis.call('HGET', key, field)
end

for source = first, #kinds do
  local kind = string.sub(kinds, source, source)
  local start = source == first and startIn(KEYS[source], kind) or 0
  local ids, scores
  repeat
    ids, scores = window(KEYS[source], kind, start, 100)
    start = start + #ids
    for i, id in ipairs(ids) do
      if #rows == limit or scanned == scan then return { scanned, rows, first .. ':' .. score .. ':' .. last } end
      scanned, first, score, last = scanned + 1, source, scores[i], id
      local key = base .. id
      local seen = redis.call('HMGET', key, 'name', 'cancelled')
      if seen[1] and (name == '' or seen[1] == name) and (mark == '' or (mark == '1') == (seen[2] ~= false)) then
        rows[#rows + 1] = { id, score, redis.call('HMGET', key, 'deid', 'opts'),
          { short(key, 'progress'), short(key, 'returnvalue'), unpack(redis.call('HMGET', key, ${FIELDS})) } }
      end
    end
  until #ids == 0
end
return { scanned, rows }
`

/** KEYS: the lists and sets of waiting (three), active, delayed, completed and failed jobs. */
const COUNTS = `
return {
  redis.call('LLEN', KEYS[1]) + redis.call('LLEN', KEYS[2]) + redis.call('ZCARD', KEYS[3]),
  redis.call('LLEN', KEYS[4]), redis.call('ZCARD', KEYS[5]), redis.call('ZCARD', KEYS[6]), redis.call('ZCARD', KEYS[7])
}
`

/**
 * KEYS: the job, failed jobs, wait, prioritized, the counter of priorities, meta, active, marker, events. ARGV: the start of all
 * keys, the id, the time.
 * A marked job that has not failed waits for a worker to end it. Without its mark it simply waits. A worker that has the job has its lock.
 * The delay says when the job is due, and the job is due now.
 */
const RETRY = `
local key, id, now = KEYS[1], ARGV[2], tonumber(ARGV[3])
local hasFailed = redis.call('ZSCORE', KEYS[2], id)
local fields = redis.call('HMGET', key, 'deid', 'priority', 'timestamp', 'opts', 'cancelled')
if not fields[3] then return 0 end
if not hasFailed and (not fields[5] or redis.call('EXISTS', key .. ':lock') == 1) then return 0 end
if fields[1] then
  local dedup = ARGV[1] .. 'de:' .. fields[1]
  local holder = redis.call('GET', dedup)
  if holder and redis.call('EXISTS', ARGV[1] .. holder) == 1 then return 0 end
  redis.call('SET', dedup, id)
end
redis.call('HDEL', key, 'cancelled', 'error', 'startedAt', 'defa', 'failedReason', 'stacktrace', 'atm', 'ats', 'stc', 'pb',
  'processedOn', 'finishedOn', 'returnvalue', 'progress')
redis.call('DEL', key .. ':unsuccessful')
local opts = cjson.decode(fields[4])
opts.delay = math.max(0, now - tonumber(fields[3]))
redis.call('HSET', key, 'delay', 0, 'opts', cjson.encode(opts))
if not hasFailed then return 1 end
redis.call('ZREM', KEYS[2], id)
local priority = tonumber(fields[2]) or 0
if priority == 0 then
  redis.call('LPUSH', KEYS[3], id)
else
  redis.call('ZADD', KEYS[4], priority * 0x100000000 + redis.call('INCR', KEYS[5]) % 0x100000000, id)
end
local meta = redis.call('HMGET', KEYS[6], 'paused', 'concurrency')
if not meta[1] and not (meta[2] and redis.call('LLEN', KEYS[7]) >= tonumber(meta[2])) then redis.call('ZADD', KEYS[8], 0, '0') end
redis.call('XADD', KEYS[9], '*', 'event', 'waiting', 'jobId', id, 'prev', 'failed')
return 1
`

export const OVERVIEW_COMMANDS = {
  backgroundTaskList: { numberOfKeys: 3, lua: LIST, readOnly: true },
  backgroundTaskCounts: { numberOfKeys: 7, lua: COUNTS, readOnly: true },
  backgroundTaskRetry: { numberOfKeys: 9, lua: RETRY }
}
