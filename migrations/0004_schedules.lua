#!lua name=advosync_4_schedules
-- What came with schedules that fire each slot exactly once. Additive: the layout is still 2, and programs that do not know
-- this library go on with `slot` of layout 2, which writes the same field of the same hash.
--
-- A schedule's hash: `slot` (ms), the slot that was fired last, or where it began to count; `began` (ms), written with the
-- first `slot`: as long as both are equal nothing was fired; `fired_at` (ms, Redis' clock); `fired` and `missed`, how many
-- slots, ever.

local function now_ms()
  local t = redis.call('TIME')
  return string.format('%d', t[1] * 1000 + math.floor(t[2] / 1000))
end

-- begin: KEYS schedule; ARGV now in ms. A schedule that nobody knows yet begins here, and nothing is fired for what was
-- before. Answers the slot that stands there now: ours, or that of another process.
local function begin(keys, args)
  if redis.call('HSETNX', keys[1], 'slot', args[1]) == 1 then redis.call('HSET', keys[1], 'began', args[1]) end
  return redis.call('HGET', keys[1], 'slot')
end

-- fire: KEYS schedule, then for each job its stream and its pending set
-- ARGV the slot that the decision rests on, the slot to fire, how many were left out, then for each job its topic and key
-- Fires only if no other slot was fired since, and never one at or before the last: so each is fired once, and a call whose
-- answer was lost can be repeated. Answers {1 if it fired, how many jobs are new, the slot that stands there now or ''}.
-- A key that is queued and not yet started is not queued again, as by `enqueue`.
-- A key is pending once its job is on the stream, and the slot comes last: should Redis refuse a job, the slot is tried again.
local function fire(keys, args)
  local last = redis.call('HGET', keys[1], 'slot')
  if not last or tonumber(last) ~= tonumber(args[1]) or tonumber(args[2]) <= tonumber(last) then
    return { 0, 0, last or '' }
  end
  local new = 0
  for i = 2, #keys, 2 do
    local topic, key = args[i + 2], args[i + 3]
    if redis.call('SISMEMBER', keys[i + 1], key) == 0 then
      redis.call('XADD', keys[i], '*', 'topic', topic, 'key', key, 'source', 'cron', 'slot', args[2])
      redis.call('SADD', keys[i + 1], key)
      new = new + 1
    end
  end
  redis.call('HINCRBY', keys[1], 'fired', 1)
  if args[3] ~= '0' then redis.call('HINCRBY', keys[1], 'missed', args[3]) end
  redis.call('HSET', keys[1], 'slot', args[2], 'fired_at', now_ms())
  return { 1, new, args[2] }
end

local function register(name, callback)
  redis.register_function { function_name = 'advosync_4_schedules_' .. name, callback = callback, flags = {} }
end

register('begin', begin)
register('fire', fire)
