#!lua name=advosync_2
-- The durable queue, layout 2. Every move of a job is one call of one function here, so that a job is in exactly one
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

-- What stands in the pending set for a job: its key, and where it has words of its own for the handler, those as well: a
-- job that is queued without them would not say them.
local function member(key, payload)
  if not payload or payload == '' then return key end
  return key .. ' ' .. payload
end

-- enqueue: KEYS stream, pending [, modes]; ARGV topic, source, traceparent, payload, mode, key…
-- An id that is pending is not queued again (Q4). The mode of a calendar is stored in the same call (C3).
-- Answers the places, from 1, of the keys that were queued already.
local FIRST_KEY = 6

local function enqueue(keys, args)
  local stream, pending, modes = keys[1], keys[2], keys[3]
  local payload, mode, last = args[4], args[5], #args
  local call, already, fields, n = redis.call, {}, { 'topic', args[1], 'key', '' }, 4
  if args[2] ~= '' then fields[5], fields[6], n = 'source', args[2], 6 end
  if args[3] ~= '' then fields[n + 1], fields[n + 2], n = 'traceparent', args[3], n + 2 end
  if payload ~= '' then fields[n + 1], fields[n + 2] = 'payload', payload end
  local members = args
  if payload ~= '' then
    members = {}
    for i = FIRST_KEY, last do members[i] = member(args[i], payload) end
  end
  if last == FIRST_KEY then
    -- to remember one key says whether it was known
    if call('SADD', pending, members[last]) == 1 then
      fields[4] = args[last]
      call('XADD', stream, '*', unpack(fields))
    else
      already[1] = 1
    end
  else
    for from = FIRST_KEY, last, CHUNK do
      local to = math.min(from + CHUNK - 1, last)
      local known = call('SMISMEMBER', pending, unpack(members, from, to))
      for i = from, to do
        if known[i - from + 1] == 0 then
          fields[4] = args[i]
          call('XADD', stream, '*', unpack(fields))
        else
          already[#already + 1] = i - FIRST_KEY + 1
        end
      end
      call('SADD', pending, unpack(members, from, to))
    end
  end
  if mode ~= '' then
    local at = now_ms()
    for i = FIRST_KEY, last do call('HSET', modes, args[i], mode .. ' ' .. at) end
  end
  return already
end

-- Puts a job that must wait for `lock` aside. A job of the same topic that waits there already makes this one
-- superfluous: neither has started, so one later run sees both changes. The count of failed attempts is not lost.
local function park(hash, expiry, lock, fields, now)
  local text = redis.call('HGET', hash, lock)
  local waiting = text and cjson.decode(text) or {}
  local joined = false
  for _, other in ipairs(waiting) do
    local same = true
    for _, name in ipairs({ 'topic', 'key', 'lane', 'payload' }) do
      same = same and field(other, name) == field(fields, name)
    end
    if same then
      if tonumber(field(fields, 'attempt') or 0) > tonumber(field(other, 'attempt') or 0) then
        set_field(other, 'attempt', field(fields, 'attempt'))
        set_field(other, 'errors', field(fields, 'errors') or '[]')
      end
      joined = true
      break
    end
  end
  if not joined then waiting[#waiting + 1] = fields end
  redis.call('HSET', hash, lock, cjson.encode(waiting))
  local left = redis.call('PTTL', lock)
  redis.call('ZADD', expiry, now + math.max(left, 1000), lock)
end

-- What is known of a job whose worker died (Q10), by lock: losses in all; of runs alone in their process, since the count of
-- them began (since): how many ended so (alone), with which workers (died), after how long in all (lone, ms); of the one that
-- goes on, since when (began) and where (by). All times in ms.
local function read_suspect(suspects, lock)
  local text = redis.call('HGET', suspects, lock)
  local it = text and cjson.decode(text) or { losses = 0 }
  it.alone, it.lone, it.died, it.since = it.alone or 0, it.lone or 0, it.died or {}, it.since or it.began
  return it
end

local function write_suspect(suspects, lock, it)
  redis.call('HSET', suspects, lock, cjson.encode(it))
end

-- A worker shows itself every second; one that stops in order says so.
local SHOWN_EVERY, VANISHED_AFTER = 1000, 3000
-- After so many losses while it was alone, a job is judged, once its flow was calm for so many times as long as they took:
-- whoever kills workers at random kills them as often while they run something else, or nothing. At most that long, ms.
local LOSSES_ALONE, CALM_TIMES, CALM_AT_MOST = 3, 30, 3600000
-- What a death is late by, at least, after the last sign of life.
local SILENT = 100

-- Whether something else than this job kills workers, or its own were not dead after all (frozen, or cut off for a while).
local function is_excused(it, suspects, workers, now)
  for _, name in ipairs(it.died) do
    if redis.call('ZSCORE', workers, name) then return true end
  end
  -- who runs a suspect alone may have died of that
  local explained = {}
  for _, text in ipairs(redis.call('HVALS', suspects)) do
    local by = cjson.decode(text).by
    if by then explained[by] = true end
  end
  local gone = redis.call('ZRANGE', workers, (it.since or 0) - SHOWN_EVERY, now - VANISHED_AFTER, 'BYSCORE')
  for _, name in ipairs(gone) do
    if not explained[name] then return true end
  end
  return false
end

-- The count of losses alone begins anew with the next such run.
local function excuse(it)
  it.alone, it.lone, it.died, it.since = 0, 0, {}, nil
end

-- A delivery whose worker died. It counts unless the run had made progress.
local function lost_run(suspects, progress, workers, lock, now)
  if redis.call('HDEL', progress, lock) == 1 then
    redis.call('HDEL', suspects, lock)
    return
  end
  local it = read_suspect(suspects, lock)
  it.losses, it.waits = it.losses + 1, nil
  if it.began then
    local seen = tonumber(redis.call('ZSCORE', workers, it.by) or it.began)
    it.alone, it.lone = it.alone + 1, it.lone + math.max(seen - it.began, 0) + SILENT
    it.died[#it.died + 1] = it.by
    -- This death is explained. Should it be alive, it shows itself again.
    redis.call('ZREM', workers, it.by)
    it.began, it.by = nil, nil
    if is_excused(it, suspects, workers, now) then excuse(it) end
  end
  write_suspect(suspects, lock, it)
end

-- claim: KEYS stream, lease counter, scheduled, scheduled jobs, parked, parked expiry, suspects, progress, workers,
--   then n locks, then pending sets
-- ARGV group, consumer, lease ms, lane, how, since (ms), n, then n ids, n members of pending sets, then the number of that
-- set (0 = none), or n numbers where they differ
-- How: 'read' (fresh entries, read after `since`), 'own' (from our own pending list), 'lost' (of a worker that is gone)
-- Answers {now (ms), number of this claim, exception…}: the job at place i has the lease number claim * 1000 + i - 1 and
-- was never delivered before, unless an exception says otherwise: {i, 'parked'} · {i, 'joined'} · {i, 'lost'} (not ours any
-- more) · {i, 'granted', deliveries, scheduled job or '', losses, losses while alone}
local CLAIM_KEYS, CLAIM_ARGS = 9, 7

-- The last digits of lease numbers: to turn a number into text costs more than to store the lock.
local PLACES = {}

local function digits(place)
  PLACES[place] = PLACES[place] or string.format('%03d', place - 1)
  return PLACES[place]
end

-- Grows for ever, also past the loss of the counter (a Redis that was emptied or rolled back): an old lease must not come
-- to life again.
local function next_claim(counter, now)
  local number = redis.call('INCR', counter)
  if number < now then
    number = now
    redis.call('SET', counter, string.format('%d', number))
  end
  return number
end

local function claim(keys, args)
  local stream, scheduled, jobs, parked, expiry, suspects = keys[1], keys[3], keys[4], keys[5], keys[6], keys[7]
  local group, consumer, lease, lane, how, n = args[1], args[2], tonumber(args[3]), args[4], args[5], tonumber(args[7])
  local call, now = redis.call, now_ms()
  local ids, names, sets = CLAIM_ARGS, CLAIM_ARGS + n, CLAIM_ARGS + 2 * n
  -- What was read less than a lease ago cannot have been taken over: an entry must have been idle for longer than that.
  local mine = nil
  if how ~= 'read' or now - tonumber(args[6]) >= lease then
    mine = owned(stream, group, consumer, args[ids + 1], args[ids + n])
  end
  local waits = call('EXISTS', jobs) == 1 and call('HMGET', jobs, unpack(keys, CLAIM_KEYS + 1, CLAIM_KEYS + n))
  local suspicious = how == 'lost' or call('EXISTS', suspects) == 1
  local lease_number, owner = string.format('%d', next_claim(keys[2], now)), ':' .. consumer
  local answer, gone, started, one_set = { now, lease_number }, {}, {}, #args == sets + 1
  for i = 1, n do
    local lock = keys[CLAIM_KEYS + i]
    local wait = waits and waits[i] and cjson.decode(waits[i])
    local outcome = 'granted'
    if mine and not mine[args[ids + i]] then
      outcome = 'lost'
    elseif wait and wait.hold and wait.due > now and not call('GET', lock) then
      -- a quiet time: whatever else is asked for this key waits with it and is served by the same run
      outcome = 'joined'
    elseif not call('SET', lock, lease_number .. (PLACES[i] or digits(i)) .. owner, 'PX', args[3], 'NX') then
      outcome = 'parked'
    end
    if outcome == 'granted' then
      -- the waiting retry stays readable until this run ends, so that a crash does not lose its count
      if wait then call('ZREM', scheduled, lock) end
      local it = nil
      if suspicious then
        if how == 'lost' then lost_run(suspects, keys[8], keys[9], lock, now) end
        it = read_suspect(suspects, lock)
      end
      if mine or wait or it and it.losses > 0 then
        answer[#answer + 1] = {
          i, 'granted', mine and mine[args[ids + i]] or 1, wait and waits[i] or '', it and it.losses or 0, it and it.alone or 0,
        }
      end
    else
      answer[#answer + 1] = { i, outcome }
    end
    if outcome == 'parked' or outcome == 'joined' then
      local entry = call('XRANGE', stream, args[ids + i], args[ids + i])[1]
      if entry and (outcome == 'parked' or field(entry[2], 'payload')) then
        local fields = entry[2]
        if not field(fields, 'enqueued_at') then set_field(fields, 'enqueued_at', string.match(entry[1], '^%d+')) end
        set_field(fields, 'lane', lane)
        park(parked, expiry, lock, fields, now)
      end
      gone[#gone + 1] = args[ids + i]
    end
    -- what starts, or is served by a run that has not started, is not pending any more
    if outcome == 'granted' or outcome == 'joined' then
      local set = one_set and '1' or args[sets + i]
      if not started[set] then started[set] = {} end
      table.insert(started[set], args[names + i])
    end
  end
  for set, members in pairs(started) do
    set = one_set and args[sets + 1] or set
    if set ~= '0' then call('SREM', keys[CLAIM_KEYS + n + tonumber(set)], unpack(members)) end
  end
  if #gone > 0 then drop(stream, group, gone) end
  return answer
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

-- A success marks the dead letters of its key as resolved (Q8).
local function resolve(dead, open, resolved, locks, now)
  local buried = redis.call('HMGET', open, unpack(locks))
  for i, lock in ipairs(locks) do
    if buried[i] then
      for id in string.gmatch(buried[i], '%S+') do
        -- it may have been replayed or discarded meanwhile
        if #redis.call('XRANGE', dead, id, id) > 0 then redis.call('HSET', resolved, id, now) end
      end
      redis.call('HDEL', open, lock)
    end
  end
end

-- Runs have ended and their processes live; a suspect that waits to be judged has not run.
local function acquit(suspects, locks)
  for _, lock in ipairs(locks) do
    local it = read_suspect(suspects, lock)
    if it.waits then
      it.waits = nil
      write_suspect(suspects, lock, it)
    else
      redis.call('HDEL', suspects, lock)
    end
  end
end

-- finish: KEYS stream, first lane, sweep lane, scheduled, scheduled jobs, parked, parked expiry, dead, done, open dead,
--   resolved dead, suspects, progress, then n locks, then pending sets
-- ARGV group, done cap, n, how many of the n are done, then n ids, n lock values, then for those that are done, which come
-- first, what is kept of the run (JSON), then for each other its verb and
--   skip: what is kept of the run (JSON)
--   retry, hold: due ms, number of fields, fields…
--   dead: number of fields, fields…
--   back: pending set number, its member, number of fields, fields…
-- Answers the places, from 1, of those that were stale: the lease was lost, nothing changed (Q6).
-- What runs for every job is kept short here, with few arguments and no numbers among them: Redis spends most of its
-- time on taking arguments in, on handing them to commands and on writing them to the append-only file.
local FINISH_KEYS, FINISH_ARGS = 13, 4
-- where the number of fields stands, after the verb
local HEAD = { retry = 2, hold = 2, dead = 1, back = 3 }

local function finish(keys, args)
  local stream, scheduled, jobs, parked = keys[1], keys[4], keys[5], keys[6]
  local dead, done, open = keys[8], keys[9], keys[10]
  local group, cap, n = args[1], tonumber(args[2]), tonumber(args[3])
  local call, now = redis.call, now_ms()
  local held = call('MGET', unpack(keys, FINISH_KEYS + 1, FINISH_KEYS + n))
  local stale, succeeded, untouched, buried, kept = {}, {}, {}, {}, {}
  local values, runs, ends = FINISH_ARGS + n, FINISH_ARGS + 2 * n, tonumber(args[4])
  for i = 1, ends do
    if held[i] == args[values + i] then
      succeeded[#succeeded + 1] = keys[FINISH_KEYS + i]
      kept[#kept + 1] = 'run'
      kept[#kept + 1] = args[runs + i]
    else
      stale[#stale + 1] = i
    end
  end
  local at = runs + ends + 1
  for i = ends + 1, n do
    local verb, lock, live = args[at], keys[FINISH_KEYS + i], held[i] == args[values + i]
    if not live then stale[#stale + 1] = i end
    if verb == 'skip' then
      if live then
        untouched[#untouched + 1] = lock
        kept[#kept + 1] = 'run'
        kept[#kept + 1] = args[at + 1]
      end
      at = at + 2
    else
      local count = at + HEAD[verb]
      local last = count + tonumber(args[count])
      local fields = { unpack(args, count + 1, last) }
      if not live then
        -- nothing changes
      elseif verb == 'retry' or verb == 'hold' then
        local due = now + tonumber(args[at + 1])
        call('ZADD', scheduled, due, lock)
        call('HSET', jobs, lock, cjson.encode({ due = due, hold = verb == 'hold', fields = fields }))
      elseif verb == 'dead' then
        local letter = call('XADD', dead, '*', unpack(fields))
        local before = call('HGET', open, lock)
        call('HSET', open, lock, before and (before .. ' ' .. letter) or letter)
        buried[#buried + 1] = lock
      elseif verb == 'back' then
        -- handed back by a process that stops; a newer job for the same id makes it superfluous, unless it has more to
        -- tell than that one
        local set = tonumber(args[at + 1])
        local queued = set > 0 and call('SADD', keys[FINISH_KEYS + n + set], args[at + 2]) == 0
        if not queued or field(fields, 'attempt') then
          call('XADD', stream, '*', unpack(fields))
        end
      end
      at = last + 1
    end
  end
  if #stale == n then return stale end
  local ids, freed = { unpack(args, FINISH_ARGS + 1, FINISH_ARGS + n) }, { unpack(keys, FINISH_KEYS + 1, FINISH_KEYS + n) }
  for i = #stale, 1, -1 do
    table.remove(ids, stale[i])
    table.remove(freed, stale[i])
  end
  if #kept > 0 then
    -- What ended together is one entry (`kept` has two values a run). Where entries are large, fewer are kept.
    call('XADD', done, 'MAXLEN', '~', math.ceil(cap * math.min(1, 16 / #kept)), '*', unpack(kept))
  end
  if call('EXISTS', jobs) == 1 then
    if #succeeded > 0 then call('HDEL', jobs, unpack(succeeded)) end
    if #buried > 0 then call('HDEL', jobs, unpack(buried)) end
    -- a run that had nothing to do leaves the key's dead letters and its retry as they are
    for _, lock in ipairs(untouched) do
      local text = call('HGET', jobs, lock)
      if text then call('ZADD', scheduled, cjson.decode(text).due, lock) end
    end
  end
  if #succeeded > 0 and call('EXISTS', open) == 1 then resolve(dead, open, keys[11], succeeded, now) end
  -- the run has ended and its process lives
  if call('EXISTS', keys[12]) == 1 then acquit(keys[12], freed) end
  if call('EXISTS', keys[13]) == 1 then call('HDEL', keys[13], unpack(freed)) end
  call('XACK', stream, group, unpack(ids))
  call('XDEL', stream, unpack(ids))
  call('DEL', unpack(freed))
  if call('EXISTS', parked) == 1 then release(keys[2], keys[3], parked, keys[7], freed) end
  return stale
end

-- judge: KEYS suspects, lock, workers; ARGV lock value, at most ms. Whether a suspect is poison: answers {what, ms}.
-- 'run': that is not said · 'wait': so long, until the flow was calm for long enough · 'bury' · 'lost': the lease was lost
local function judge(keys, args)
  if redis.call('GET', keys[2]) ~= args[1] then return { 'lost', 0 } end
  local it, now = read_suspect(keys[1], keys[2]), now_ms()
  if it.alone < LOSSES_ALONE then return { 'run', 0 } end
  if is_excused(it, keys[1], keys[3], now) then
    excuse(it)
    write_suspect(keys[1], keys[2], it)
    return { 'run', 0 }
  end
  local calm = now - (it.since or 0) - it.lone
  local left = math.min(CALM_TIMES * it.lone, CALM_AT_MOST) - calm
  if left <= 0 then return { 'bury', 0 } end
  it.waits = true
  write_suspect(keys[1], keys[2], it)
  return { 'wait', math.min(left, tonumber(args[2])) }
end

-- alone: KEYS suspects, lock; ARGV lock value, consumer. The suspect's run begins, with nothing beside it in its process.
-- Answers 1, or 0 where the lease was lost.
local function alone(keys, args)
  if redis.call('GET', keys[2]) ~= args[1] then return 0 end
  local it, now = read_suspect(keys[1], keys[2]), now_ms()
  it.since, it.began, it.by = it.since or now, now, args[2]
  write_suspect(keys[1], keys[2], it)
  return 1
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
  set_field(fields, 'failed_at', string.format('%d', now_ms()))
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
        if set > 0 then redis.call('SADD', keys[4 + set], member(field(fields, 'key'), field(fields, 'payload'))) end
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

-- heal: KEYS first lane, sweep lane, parked, scheduled, suspects, progress, then pending sets. With nothing queued, nothing is
-- pending: an id left in a pending set (an entry deleted by hand) would swallow every later webhook for it.
local function heal(keys, args)
  if redis.call('XLEN', keys[1]) > 0 or redis.call('XLEN', keys[2]) > 0 or redis.call('HLEN', keys[3]) > 0 then
    return 0
  end
  local sets = {}
  -- what is known of a suspect is needed until it was judged
  for i = redis.call('ZCARD', keys[4]) == 0 and 5 or 7, #keys do sets[#sets + 1] = keys[i] end
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

-- upstream: KEYS the upstream's hash; ARGV 'ok', ms when the call began or '' (a probe) | 'fail', threshold, message. The
-- breaker of Q9. A success that began before the breaker opened says nothing about now. Answers {state, failures}.
local function upstream(keys, args)
  local now = now_ms()
  if args[1] == 'ok' then
    local opened = tonumber(redis.call('HGET', keys[1], 'opened_at') or '0')
    if args[2] == '' or tonumber(args[2]) > opened then
      redis.call('HSET', keys[1], 'state', 'closed', 'failures', 0, 'ok_at', now)
      redis.call('HDEL', keys[1], 'opened_at', 'error')
      return { 'closed', 0 }
    end
    return { 'open', tonumber(redis.call('HGET', keys[1], 'failures') or '0') }
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
  redis.register_function { function_name = 'advosync_2_' .. name, callback = callback, flags = flags }
end

-- What moves or frees a job must work in a full Redis too, or nothing would ever be freed.
register('enqueue', enqueue, {})
register('claim', claim, { 'allow-oom' })
register('finish', finish, { 'allow-oom' })
register('judge', judge, { 'allow-oom' })
register('alone', alone, { 'allow-oom' })
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
