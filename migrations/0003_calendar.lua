#!lua name=advosync_3_calendar
-- What came with the calendar sync: its ledger, and the pace that all workers keep with an outside system. Additive: the
-- layout is still 2, and programs that do not know this library do not call it.

-- write: KEYS lock, then hashes; ARGV lock value, then changes of four words each, made in this order:
--   'put', which hash (1 is the first), field, value | 'drop', hash, field, '' | 'clear', hash, '', ''
-- All or nothing, and only while the lock has this value: a run that lost its lease changes nothing. The same call twice
-- leaves what it left once. Answers {'ok'} or {'fenced'}.
local function write(keys, args)
  if redis.call('GET', keys[1]) ~= args[1] then return { 'fenced' } end
  for i = 2, #args, 4 do
    local verb = args[i]
    if not keys[args[i + 1] + 1] or not args[i + 3] or (verb ~= 'put' and verb ~= 'drop' and verb ~= 'clear') then
      return redis.error_reply('ERR no change: ' .. verb)
    end
  end
  for i = 2, #args, 4 do
    local verb, hash = args[i], keys[args[i + 1] + 1]
    if verb == 'put' then
      redis.call('HSET', hash, args[i + 2], args[i + 3])
    elseif verb == 'drop' then
      redis.call('HDEL', hash, args[i + 2])
    else
      redis.call('DEL', hash)
    end
  end
  return { 'ok' }
end

-- A hash of a pace: `last`, when the last turn that was given begins, and `until`, before which there is none; microseconds
-- since the epoch, which a double holds exactly.
local function now_us()
  local t = redis.call('TIME')
  return t[1] * 1000000 + t[2]
end

local function at(key, field)
  return tonumber(redis.call('HGET', key, field) or '0')
end

-- It goes once it can hold nobody up any more, whatever spacing the next one asks for (at most a minute).
local function keep(key, now)
  local latest = math.max(at(key, 'last'), at(key, 'until'), now)
  redis.call('PEXPIRE', key, string.format('%.0f', math.ceil((latest - now) / 1000) + 60000))
end

-- turn: KEYS pace; ARGV spacing, longest wait, in microseconds. Takes the next turn, unless it is further away than the
-- longest wait. Answers {1 if it was taken, how long to wait for it}.
local function turn(keys, args)
  local now = now_us()
  local begins = math.max(now, at(keys[1], 'last') + args[1], at(keys[1], 'until'))
  if begins - now > tonumber(args[2]) then return { 0, begins - now } end
  redis.call('HSET', keys[1], 'last', string.format('%.0f', begins))
  keep(keys[1], now)
  return { 1, begins - now }
end

-- pause: KEYS pace; ARGV microseconds. No turn begins before then; a longer pause stays. Answers 1.
local function pause(keys, args)
  local now = now_us()
  redis.call('HSET', keys[1], 'until', string.format('%.0f', math.max(now + args[1], at(keys[1], 'until'))))
  keep(keys[1], now)
  return 1
end

local function register(name, callback)
  redis.register_function { function_name = 'advosync_3_calendar_' .. name, callback = callback, flags = { 'allow-oom' } }
end

register('write', write)
register('turn', turn)
register('pause', pause)
