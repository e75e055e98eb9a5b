#!lua name=advosync_2_layout
-- Whether this is still the Redis that a process knew, layout 2 (src/queue/generation.rs).
--
-- The marker (a hash) names a generation, made when the layout was set up, and counts beats. Each process raises the beat
-- now and then and leaves its name beside the number that it got (a sorted set). A process, or its successor, that finds
-- another generation, or a lower number beside that name, is looking at data that were emptied, exchanged or rolled back.

-- Names that are kept; of older ones nobody can tell whether they were ever there.
local KEPT = 1000

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- A group from id 0, never `$`: entries that came before the group are jobs too. Answers how many were made.
local function ensure_group(stream, group)
  if redis.call('EXISTS', stream) == 1 then
    for _, row in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
      for i = 1, #row, 2 do
        if row[i] == 'name' and row[i + 1] == group then return 0 end
      end
    end
  end
  redis.call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
  return 1
end

-- Whether the number beside a name is lower than it was, or gone with it.
local function went_back(beats, witness, beat)
  local score = redis.call('ZSCORE', beats, witness)
  if score then return tonumber(score) < beat end
  local oldest = redis.call('ZRANGE', beats, 0, 0, 'WITHSCORES')
  local dropped = redis.call('ZCARD', beats) >= KEPT and tonumber(oldest[2]) > beat
  return not dropped
end

local function judge(marker, beats, generation, losses, witness, beat)
  if generation == '' then return 'same' end
  if redis.call('HGET', marker, 'generation') ~= generation then
    return redis.call('HEXISTS', marker, 'was:' .. generation) == 1 and 'same' or 'emptied'
  end
  local known, admitted = tonumber(losses), tonumber(redis.call('HGET', marker, 'losses') or '0')
  -- somebody else has noticed it, and what was known before counts no more
  if admitted > known then return 'same' end
  if admitted < known or went_back(beats, witness, tonumber(beat)) then return 'rolled_back' end
  return 'same'
end

-- look: KEYS marker, beats, then streams; ARGV group, own name, a new generation in case there is none, then what was
-- seen last ('' where nothing was): generation, losses, witness, its beat.
-- Answers {'same' | 'emptied' | 'rolled_back' | 'missing', beat, how many groups were made, {the marker's fields and values}}
local function look(keys, args)
  local marker, beats = keys[1], keys[2]
  local group, me = args[1], args[2]
  if redis.call('HEXISTS', marker, 'layout') == 0 then return { 'missing', 0, 0, {} } end
  redis.call('HSETNX', marker, 'generation', args[3])
  local made = 0
  for i = 3, #keys do made = made + ensure_group(keys[i], group) end
  local verdict, beat = judge(marker, beats, args[4], args[5], args[6], args[7]), 0
  if verdict == 'same' then
    beat = redis.call('HINCRBY', marker, 'beat', 1)
    redis.call('ZADD', beats, beat, me)
    redis.call('ZREMRANGEBYRANK', beats, 0, -KEPT - 1)
  end
  return { verdict, beat, made, redis.call('HGETALL', marker) }
end

-- admit: KEYS marker; ARGV 'emptied' | 'rolled_back', and of what was seen before: generation, losses.
-- From now on everybody knows of the loss. Answers 1.
local function admit(keys, args)
  local marker, how, generation, losses = keys[1], args[1], args[2], tonumber(args[3])
  if redis.call('HGET', marker, 'generation') ~= generation then
    redis.call('HSET', marker, 'was:' .. generation, now_ms())
  else
    local admitted = tonumber(redis.call('HGET', marker, 'losses') or '0')
    redis.call('HSET', marker, 'losses', math.max(admitted, losses) + 1)
  end
  redis.call('HSET', marker, 'lost_at', now_ms(), 'lost_how', how)
  return 1
end

redis.register_function { function_name = 'advosync_2_look', callback = look, flags = { 'allow-oom' } }
redis.register_function { function_name = 'advosync_2_admit', callback = admit, flags = { 'allow-oom' } }
