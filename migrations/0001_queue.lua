#!lua name=advosync_1
-- The durable queue, layout 1. Every move of a job is one call of one function here, so that a job is in exactly one
-- place at any instant (Q2). Names carry the layout, so that an older and a newer program can run side by side.
--
-- KEYS are passed whole (a cluster needs that), in the order that src/queue/functions.rs builds; ARGV follow.
-- A job on its way through `scheduled` and `parked` is a JSON array of its flat stream fields: ["topic","…","key","…"].
-- Time is Redis' own: one clock for any number of machines.

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- unpack() has a limit of about 8,000 values; a batch of 10,000 ids must pass.
local CHUNK = 1000

local function in_chunks(list, fn)
  for from = 1, #list, CHUNK do
    fn(unpack(list, from, math.min(from + CHUNK - 1, #list)))
  end
end

local function field(fields, name)
  for i = 1, #fields, 2 do
    if fields[i] == name then return fields[i + 1] end
  end
  return nil
end

local function set_field(fields, name, value)
  for i = 1, #fields, 2 do
    if fields[i] == name then
      fields[i + 1] = value
      return
    end
  end
  fields[#fields + 1] = name
  fields[#fields + 1] = value
end

-- The ids of `wanted` that `consumer` still owns, with how often each was delivered.
-- XACK and XCLAIM look at the group, never at the owner: whoever moves an entry must ask first.
local function owned(stream, group, consumer, first, last)
  local mine = {}
  local rows = redis.pcall('XPENDING', stream, group, first, last, 10000, consumer)
  if rows.err then return mine end
  for _, row in ipairs(rows) do mine[row[1]] = row[4] end
  return mine
end

local function drop(stream, group, ids)
  in_chunks(ids, function(...)
    redis.call('XACK', stream, group, ...)
    redis.call('XDEL', stream, ...)
  end)
end

-- enqueue: KEYS stream, pending [, modes]; ARGV topic, source, traceparent, payload, mode, n, key…
-- An id that is pending is not queued again (Q4). The mode of a calendar is stored in the same call (C3).
-- Answers {new, key that is new…}.
local function enqueue(keys, args)
  local stream, pending, modes = keys[1], keys[2], keys[3]
  local topic, source, traceparent, payload, mode = args[1], args[2], args[3], args[4], args[5]
  local base = { 'topic', topic, 'key', '' }
  if source ~= '' then base[#base + 1] = 'source'; base[#base + 1] = source end
  if traceparent ~= '' then base[#base + 1] = 'traceparent'; base[#base + 1] = traceparent end
  if payload ~= '' then base[#base + 1] = 'payload'; base[#base + 1] = payload end
  local fresh = {}
  for from = 7, #args, CHUNK do
    local last = math.min(from + CHUNK - 1, #args)
    local known = redis.call('SMISMEMBER', pending, unpack(args, from, last))
    for i = from, last do
      if known[i - from + 1] == 0 then fresh[#fresh + 1] = args[i] end
    end
  end
  for _, key in ipairs(fresh) do
    base[4] = key
    redis.call('XADD', stream, '*', unpack(base))
  end
  in_chunks(fresh, function(...) redis.call('SADD', pending, ...) end)
  if mode ~= '' then
    local at = now_ms()
    for i = 7, #args do redis.call('HSET', modes, args[i], mode .. ' ' .. at) end
  end
  table.insert(fresh, 1, tostring(#fresh))
  return fresh
end

-- Puts a job that must wait for `lock` aside. A job of the same topic that waits there already makes this one
-- superfluous: neither has started, so one later run sees both changes.
local function park(hash, expiry, lock, fields, now)
  local text = redis.call('HGET', hash, lock)
  local waiting = text and cjson.decode(text) or {}
  local topic, key = field(fields, 'topic'), field(fields, 'key')
  for _, other in ipairs(waiting) do
    if field(other, 'topic') == topic and field(other, 'key') == key and field(other, 'lane') == field(fields, 'lane') then
      return
    end
  end
  waiting[#waiting + 1] = fields
  redis.call('HSET', hash, lock, cjson.encode(waiting))
  local left = redis.call('PTTL', lock)
  redis.call('ZADD', expiry, now + math.max(left, 1000), lock)
end

-- claim: KEYS stream, lease counter, scheduled, scheduled jobs, parked, parked expiry, then n locks, then pending sets
-- ARGV group, consumer, lease ms, lane, n, then per job: id, key, number of its pending set (0 = none)
-- Per job one of: {'granted', lease number, deliveries, now (ms), scheduled job or ''} · {'parked'} · {'joined'} · {'lost'}
local function claim(keys, args)
  local stream, counter, scheduled, jobs, parked, expiry = keys[1], keys[2], keys[3], keys[4], keys[5], keys[6]
  local group, consumer, lease, lane, n = args[1], args[2], tonumber(args[3]), args[4], tonumber(args[5])
  local now = now_ms()
  local locks, first, last = {}, nil, nil
  for i = 1, n do locks[i] = keys[6 + i] end
  -- ids of one read are ascending; reclaimed ones come in their own call, ascending too
  first, last = args[6], args[6 + 3 * (n - 1)]
  local mine = owned(stream, group, consumer, first, last)
  local held = redis.call('MGET', unpack(locks))
  local waits = redis.call('HMGET', jobs, unpack(locks))
  local taken, started, gone, answers = {}, {}, {}, {}
  for i = 1, n do
    local at = 6 + 3 * (i - 1)
    local id, key, set, lock = args[at], args[at + 1], tonumber(args[at + 2]), locks[i]
    local wait = waits[i] and not taken[lock] and cjson.decode(waits[i]) or nil
    if not mine[id] then
      answers[i] = { 'lost' }
    elseif held[i] or taken[lock] then
      local entry = redis.call('XRANGE', stream, id, id)[1]
      if entry then
        local fields = entry[2]
        if not field(fields, 'enqueued_at') then set_field(fields, 'enqueued_at', string.match(id, '^%d+')) end
        set_field(fields, 'lane', lane)
        park(parked, expiry, lock, fields, now)
      end
      gone[#gone + 1] = id
      answers[i] = { 'parked' }
    elseif wait and wait.hold and wait.due > now then
      -- a quiet time: whatever else is asked for this key waits with it and is served by the same run
      if set > 0 then started[set] = started[set] or {}; table.insert(started[set], key) end
      gone[#gone + 1] = id
      answers[i] = { 'joined' }
    else
      local number = redis.call('INCR', counter)
      redis.call('SET', lock, number .. ':' .. consumer, 'PX', lease)
      taken[lock] = true
      if set > 0 then started[set] = started[set] or {}; table.insert(started[set], key) end
      -- the waiting retry stays readable until this run ends, so that a crash does not lose its count
      if waits[i] then redis.call('ZREM', scheduled, lock) end
      answers[i] = { 'granted', number, mine[id], now, waits[i] or '' }
    end
  end
  for set, members in pairs(started) do
    in_chunks(members, function(...) redis.call('SREM', keys[6 + n + set], ...) end)
  end
  if #gone > 0 then drop(stream, group, gone) end
  return answers
end

-- Moves what waits for these locks back to its lane's stream.
local function release(first, sweep, parked, expiry, locks)
  local waiting = redis.call('HMGET', parked, unpack(locks))
  for i, lock in ipairs(locks) do
    if waiting[i] then
      for _, fields in ipairs(cjson.decode(waiting[i])) do
        local stream = field(fields, 'lane') == 'sweep' and sweep or first
        redis.call('XADD', stream, '*', unpack(fields))
      end
      redis.call('HDEL', parked, lock)
      redis.call('ZREM', expiry, lock)
    end
  end
end

-- finish: KEYS stream, first lane, sweep lane, scheduled, scheduled jobs, parked, parked expiry, dead, done, open dead,
--   resolved dead, then n locks, then pending sets
-- ARGV group, consumer, done cap, n, then per job: id, lock value, verb, due ms, pending set number, key, fields (JSON)
-- Verbs: done · skip · retry · hold · dead · back. Answers 1 (moved) or 0 (stale: the lease was lost, nothing changed, Q6).
local function finish(keys, args)
  local stream, first, sweep, scheduled, jobs, parked, expiry = keys[1], keys[2], keys[3], keys[4], keys[5], keys[6], keys[7]
  local dead, done, open, resolved = keys[8], keys[9], keys[10], keys[11]
  local group, cap, n = args[1], args[3], tonumber(args[4])
  local now = now_ms()
  local locks = {}
  for i = 1, n do locks[i] = keys[11 + i] end
  local held = redis.call('MGET', unpack(locks))
  local answers, ids, freed, succeeded = {}, {}, {}, {}
  for i = 1, n do
    local at = 5 + 7 * (i - 1)
    local id, value, verb, due = args[at], args[at + 1], args[at + 2], tonumber(args[at + 3])
    local set, key, fields, lock = tonumber(args[at + 4]), args[at + 5], cjson.decode(args[at + 6]), locks[i]
    if held[i] ~= value then
      answers[i] = 0
    else
      answers[i] = 1
      ids[#ids + 1] = id
      freed[#freed + 1] = lock
      if verb == 'done' or verb == 'skip' then
        -- a run that had nothing to do leaves the key's dead letters and counts as they are
        if verb == 'done' then succeeded[#succeeded + 1] = lock end
        redis.call('XADD', done, 'MAXLEN', '~', cap, '*', unpack(fields))
      elseif verb == 'retry' or verb == 'hold' then
        local at_ms = now + due
        redis.call('ZADD', scheduled, at_ms, lock)
        redis.call('HSET', jobs, lock, cjson.encode({ due = at_ms, hold = verb == 'hold', fields = fields }))
      elseif verb == 'dead' then
        local buried = redis.call('XADD', dead, '*', unpack(fields))
        local before = redis.call('HGET', open, lock)
        redis.call('HSET', open, lock, before and (before .. ' ' .. buried) or buried)
        redis.call('HDEL', jobs, lock)
      elseif verb == 'back' then
        -- handed back by a process that stops; a newer job for the same id makes it superfluous
        local queued = set > 0 and redis.call('SADD', keys[11 + n + set], key) == 0
        if not queued then redis.call('XADD', stream, '*', unpack(fields)) end
      end
    end
  end
  if #succeeded > 0 then
    in_chunks(succeeded, function(...) redis.call('HDEL', jobs, ...) end)
    local buried = redis.call('HMGET', open, unpack(succeeded))
    for i, lock in ipairs(succeeded) do
      if buried[i] then
        for id in string.gmatch(buried[i], '%S+') do
          -- it may have been replayed or discarded meanwhile
          if #redis.call('XRANGE', dead, id, id) > 0 then redis.call('HSET', resolved, id, now) end
        end
        redis.call('HDEL', open, lock)
      end
    end
  end
  if #ids > 0 then
    drop(stream, group, ids)
    redis.call('DEL', unpack(freed))
    release(first, sweep, parked, expiry, freed)
  end
  return answers
end

-- renew: KEYS stream, then n locks; ARGV group, consumer, lease ms, n, then per job: id, lock value
-- Answers 1 (renewed) or 0 (lost: the handler must stop). JUSTID: a renewal is no delivery.
local function renew(keys, args)
  local stream, group, consumer, lease, n = keys[1], args[1], args[2], args[3], tonumber(args[4])
  local answers = {}
  for i = 1, n do
    local id, value, lock = args[5 + 2 * (i - 1)], args[6 + 2 * (i - 1)], keys[1 + i]
    if redis.call('GET', lock) == value and owned(stream, group, consumer, id, id)[id] then
      redis.call('PEXPIRE', lock, lease)
      redis.call('XCLAIM', stream, group, consumer, 0, id, 'JUSTID')
      answers[i] = 1
    else
      answers[i] = 0
    end
  end
  return answers
end

-- bury: KEYS stream, dead; ARGV group, consumer, id, then pairs of fields to add
-- An entry that is no job goes to the dead letters whole (Q10). Answers 1, or 0 where somebody else owns it.
local function bury(keys, args)
  local stream, dead, group, consumer, id = keys[1], keys[2], args[1], args[2], args[3]
  if not owned(stream, group, consumer, id, id)[id] then return 0 end
  local entry = redis.call('XRANGE', stream, id, id)[1]
  local fields = entry and entry[2] or {}
  -- more values than unpack() takes: kept as one field, so that no entry can stop its reader
  if #fields > 2 * CHUNK then fields = { 'fields', cjson.encode(fields) } end
  for i = 4, #args do fields[#fields + 1] = args[i] end
  redis.call('XADD', dead, '*', unpack(fields))
  drop(stream, group, { id })
  return 1
end

-- due: KEYS scheduled, scheduled jobs, parked expiry; ARGV limit. Reads only.
-- Answers {ms until the next one is due or -1, {lock, job, lock, job…}, {lock whose holder may be gone…}}
local function due(keys, args)
  local now, limit = now_ms(), tonumber(args[1])
  local ready = redis.call('ZRANGE', keys[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, limit)
  local out = {}
  for _, lock in ipairs(ready) do
    out[#out + 1] = lock
    out[#out + 1] = redis.call('HGET', keys[2], lock) or ''
  end
  local next_due = redis.call('ZRANGE', keys[1], '(' .. now, '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
  local wait = next_due[2] and math.floor(next_due[2] - now) or -1
  return { wait, out, redis.call('ZRANGE', keys[3], '-inf', now, 'BYSCORE', 'LIMIT', 0, limit) }
end

-- promote: KEYS first lane, sweep lane, scheduled, scheduled jobs, then pending sets
-- ARGV n, then per job: lock, pending set number. Moves what is due to its stream. Answers how many.
local function promote(keys, args)
  local first, sweep, scheduled, jobs = keys[1], keys[2], keys[3], keys[4]
  local now, moved = now_ms(), 0
  for i = 1, tonumber(args[1]) do
    local lock, set = args[2 * i], tonumber(args[2 * i + 1])
    local score = redis.call('ZSCORE', scheduled, lock)
    if score and tonumber(score) <= now then
      local text = redis.call('HGET', jobs, lock)
      if text then
        local fields = cjson.decode(text).fields
        redis.call('XADD', field(fields, 'lane') == 'sweep' and sweep or first, '*', unpack(fields))
        if set > 0 then redis.call('SADD', keys[4 + set], field(fields, 'key')) end
        moved = moved + 1
      end
      redis.call('ZREM', scheduled, lock)
      redis.call('HDEL', jobs, lock)
    end
  end
  return moved
end

-- unpark: KEYS first lane, sweep lane, parked, parked expiry, then locks. Finds waiters whose holder vanished (Q3).
local function unpark(keys, args)
  local now, freed = now_ms(), {}
  for i = 5, #keys do
    local left = redis.call('PTTL', keys[i])
    if left == -2 then
      freed[#freed + 1] = keys[i]
    else
      redis.call('ZADD', keys[4], 'XX', now + math.max(left, 1000), keys[i])
    end
  end
  if #freed > 0 then release(keys[1], keys[2], keys[3], keys[4], freed) end
  return #freed
end

-- heal: KEYS first lane, sweep lane, parked, then pending sets. With nothing queued, nothing is pending: an id left in
-- a pending set (an entry deleted by hand) would swallow every later webhook for it.
local function heal(keys, args)
  if redis.call('XLEN', keys[1]) > 0 or redis.call('XLEN', keys[2]) > 0 or redis.call('HLEN', keys[3]) > 0 then
    return 0
  end
  local sets = {}
  for i = 4, #keys do sets[#sets + 1] = keys[i] end
  return #sets > 0 and redis.call('DEL', unpack(sets)) or 0
end

-- seen: KEYS workers; ARGV consumer, ms after which one that was not seen is forgotten. Redis 7.0 does not count a read
-- without a job as a sign of life, so workers show themselves here.
local function seen(keys, args)
  local now = now_ms()
  redis.call('ZADD', keys[1], now, args[1])
  redis.call('ZREMRANGEBYSCORE', keys[1], '-inf', now - tonumber(args[2]))
  return 1
end

-- workers: KEYS workers; ARGV ms. The consumers that were seen within that time.
local function workers(keys, args)
  return redis.call('ZRANGE', keys[1], now_ms() - tonumber(args[1]), '+inf', 'BYSCORE')
end

-- reap: KEYS stream; ARGV group, consumer. Deletes a consumer only when nothing is pending for it:
-- XGROUP DELCONSUMER throws pending entries away.
local function reap(keys, args)
  if #redis.call('XPENDING', keys[1], args[1], '-', '+', 1, args[2]) > 0 then return 0 end
  redis.call('XGROUP', 'DELCONSUMER', keys[1], args[1], args[2])
  return 1
end

-- upstream: KEYS the upstream's hash; ARGV 'ok' | 'fail', threshold, message. The breaker of Q9.
-- Answers {state, failures}.
local function upstream(keys, args)
  local now = now_ms()
  if args[1] == 'ok' then
    redis.call('HSET', keys[1], 'state', 'closed', 'failures', 0, 'ok_at', now)
    redis.call('HDEL', keys[1], 'opened_at', 'error')
    return { 'closed', 0 }
  end
  local failures = redis.call('HINCRBY', keys[1], 'failures', 1)
  redis.call('HSET', keys[1], 'failed_at', now, 'error', args[3])
  if failures >= tonumber(args[2]) and redis.call('HGET', keys[1], 'state') ~= 'open' then
    redis.call('HSET', keys[1], 'state', 'open', 'opened_at', now)
  end
  return { redis.call('HGET', keys[1], 'state') or 'closed', failures }
end

-- remove: KEYS a string; ARGV its expected value. Deletes it only if it is still that.
local function remove(keys, args)
  if redis.call('GET', keys[1]) ~= args[1] then return 0 end
  return redis.call('DEL', keys[1])
end

-- renewed: KEYS the right to renew, the value; ARGV who has the right, the new value, ms. Stores it and ends the right.
local function renewed(keys, args)
  if redis.call('GET', keys[1]) ~= args[1] then return 0 end
  redis.call('SET', keys[2], args[2], 'PX', args[3])
  redis.call('DEL', keys[1])
  return 1
end

-- slot: KEYS the schedule's hash; ARGV the slot in ms. Each slot is taken once, and never one before the last.
local function slot(keys, args)
  local last = tonumber(redis.call('HGET', keys[1], 'slot') or '0')
  if tonumber(args[1]) <= last then return 0 end
  redis.call('HSET', keys[1], 'slot', args[1], 'fired_at', now_ms())
  return 1
end

local function register(name, callback, flags)
  redis.register_function { function_name = 'advosync_1_' .. name, callback = callback, flags = flags }
end

-- What moves or frees a job must work in a full Redis too, or nothing would ever be freed.
register('enqueue', enqueue, {})
register('claim', claim, { 'allow-oom' })
register('finish', finish, { 'allow-oom' })
register('renew', renew, { 'allow-oom' })
register('bury', bury, { 'allow-oom' })
register('due', due, { 'no-writes' })
register('promote', promote, { 'allow-oom' })
register('unpark', unpark, { 'allow-oom' })
register('heal', heal, { 'allow-oom' })
register('seen', seen, { 'allow-oom' })
register('workers', workers, { 'no-writes' })
register('reap', reap, { 'allow-oom' })
register('upstream', upstream, { 'allow-oom' })
register('remove', remove, { 'allow-oom' })
register('renewed', renewed, {})
register('slot', slot, {})
