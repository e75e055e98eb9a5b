#!lua name=advosync_admin
-- What people call from redis-cli (ops/runbook.md shows each call). Names are stable; `advosync migrate` replaces the
-- library. Pass the streams first, then whatever else is named; a pending set that is passed takes part in
-- de-duplication, one that is not is left alone. The marks of letters (`…:dead:open`, `…:dead:resolved`) are looked after
-- also where they are not passed: a count that is wrong from then on would hide letters.

-- So many letters are fetched at once: a letter may be large, and each is held in memory twice.
local FETCH = 100
-- A page of a program; a few milliseconds.
local PAGE = 1000
-- The most that one call of a person puts back, and looks at: Redis does nothing else meanwhile.
local MOST_REPLAYED, MOST_SEEN = 5000, 10000
-- More values than this unpack() may not take. A job has at most half as many.
local MOST_VALUES = 4000

local function field(fields, name)
  for i = 1, #fields, 2 do
    if fields[i] == name then return fields[i + 1] end
  end
  return nil
end

-- What a burial added to the job, and what counts from when it was first asked for; a replay starts anew, at attempt 0 (Q7).
-- It is a person's wish, whoever asked first.
local ADDED = {
  source = true, enqueued_at = true, attempt = true, errors = true, error = true, code = true, failed_at = true,
  worker = true, lane = true, reason = true,
}

local ACTIONS = { create = true, update = true, delete = true, sync_check = true }

-- The lock of a job and its pending set in the first lane, without the key prefix: as src/queue/topic.rs spells them.
local function names_of(topic, key)
  local entity, action = string.match(topic, '^vmh%.([^.]+)%.([^.]+)$')
  if entity and ACTIONS[action] then
    return 'sync_lock:' .. entity .. ':' .. key, 'vmh:' .. entity .. ':' .. action .. '_pending'
  elseif entity and (action == 'sweep' or action == 'inspect' or action == 'import') then
    return action .. '_lock:' .. entity .. ':' .. key, 'vmh:' .. entity .. ':' .. action .. '_pending'
  elseif topic == 'calendar_sync_employee' or topic == 'calendar_sync_all' then
    return 'calendar_sync:lock:' .. key, 'calendar_sync:pending'
  elseif topic == 'calendar_inspect' then
    return 'calendar_inspect:lock:' .. key, 'calendar_inspect:pending'
  end
  return 'job_lock:' .. topic .. ':' .. key, nil
end

-- The prefix and the flow of the first key; an error where it is no stream of dead letters: what is taken out of another
-- stream would be a job that runs.
local function place_of(keys)
  local prefix, flow = string.match(keys[1] or '', '^(.*)jobs:([^:]+):dead$')
  if not prefix then
    return nil, nil, redis.error_reply('ERR the first key must be a stream of dead letters, such as jobs:vmh:dead')
  end
  return prefix, flow, nil
end

-- A letter is gone: so are the marks that were made for it.
local function forget(dead, prefix, id, topic, key)
  redis.pcall('HDEL', dead .. ':resolved', id)
  if not topic or not key then return end
  local lock = prefix .. names_of(topic, key)
  local open = redis.pcall('HGET', dead .. ':open', lock)
  if type(open) ~= 'string' then return end
  local others = {}
  for other in string.gmatch(open, '%S+') do
    if other ~= id then others[#others + 1] = other end
  end
  if #others > 0 then
    redis.pcall('HSET', dead .. ':open', lock, table.concat(others, ' '))
  else
    redis.pcall('HDEL', dead .. ':open', lock)
  end
end

-- Where a job of this lane goes back to, and in which lane it is then: the sweep stream, if it was passed.
local function stream_of(keys, lane)
  if lane == 'sweep' then
    for i = 3, #keys do
      if keys[i] == keys[2] .. ':sweep' then return keys[i], lane end
    end
  end
  return keys[2], 'first'
end

local function passed(keys, name)
  for i = 3, #keys do
    if keys[i] == name then return true end
  end
  return false
end

-- Puts one letter back. Answers 'replayed'; 'waiting' where a job for the same key is queued already: it will do, and
-- until it has, the letter stays; 'nameless' where it is no job.
local function put_back(keys, prefix, id, fields)
  local topic, key = field(fields, 'topic'), field(fields, 'key')
  if not topic or not key or key == '' or #fields > MOST_VALUES then return 'nameless' end
  local stream, lane = stream_of(keys, field(fields, 'lane'))
  local _, pending = names_of(topic, key)
  pending = pending and prefix .. pending .. (lane == 'sweep' and ':sweep' or '')
  if pending and passed(keys, pending) then
    local payload = field(fields, 'payload')
    local member = payload and payload ~= '' and key .. ' ' .. payload or key
    if redis.call('SADD', pending, member) == 0 then return 'waiting' end
  end
  local out = { 'source', 'replay' }
  for i = 1, #fields, 2 do
    if not ADDED[fields[i]] then
      out[#out + 1] = fields[i]
      out[#out + 1] = fields[i + 1]
    end
  end
  redis.call('XADD', stream, '*', unpack(out))
  redis.call('XDEL', keys[1], id)
  forget(keys[1], prefix, id, topic, key)
  return 'replayed'
end

local function no_letters()
  return { replayed = 0, waiting = 0, nameless = 0 }
end

-- Puts back what lies between two ids, at most PAGE letters of any topic or of one. Answers how many were replayed, wait,
-- are nameless, were looked at, and where to go on, if there may be more.
local function replay_page(keys, prefix, from, to, topic)
  local count, seen = no_letters(), 0
  while seen < PAGE do
    local entries = redis.call('XRANGE', keys[1], from, to, 'COUNT', FETCH)
    for _, entry in ipairs(entries) do
      if topic == '' or field(entry[2], 'topic') == topic then
        local what = put_back(keys, prefix, entry[1], entry[2])
        count[what] = count[what] + 1
      end
      from = '(' .. entry[1]
    end
    seen = seen + #entries
    if #entries < FETCH then return count, seen, nil end
  end
  return count, seen, from
end

-- As XRANGE takes them: an id, its first half, `-` or `+`; `(` leaves the id itself out.
local function is_bound(text)
  return text == '-' or text == '+' or string.match(text, '^%(?%d+$') or string.match(text, '^%(?%d+%-%d+$')
end

local USAGE = 'ERR usage: FCALL advosync_replay <n> jobs:vmh:dead jobs:vmh … <id>… | all | topic <T> | since <ms> | range <from> <to>; '
  .. 'since and range may follow a topic'

-- From where to where, and which topic, the words of a person mean; nothing where they are ids or make no sense.
local function selected(args)
  local topic, rest = '', args
  if args[1] == 'topic' then
    topic, rest = args[2], { unpack(args, 3) }
    if not topic or topic == '' then return nil end
    if #rest == 0 then return '-', '+', topic end
  end
  if rest[1] == 'all' and #rest == 1 and topic == '' then return '-', '+', topic end
  if rest[1] == 'since' and #rest == 2 and string.match(rest[2], '^%d+$') then return rest[2], '+', topic end
  if rest[1] == 'range' and #rest == 3 and is_bound(rest[2]) and is_bound(rest[3]) then return rest[2], rest[3], topic end
  return nil
end

-- All of these ids, or none and an error. Answers how many were replayed, wait, are nameless, and nil or the error.
local function replay_ids(keys, prefix, ids)
  local count, known, entries = no_letters(), {}, {}
  for _, id in ipairs(ids) do
    if not string.match(id, '^%d+%-%d+$') then return count, redis.error_reply(USAGE) end
    local found = redis.call('XRANGE', keys[1], id, id)[1]
    if not found then return count, redis.error_reply('ERR no dead letter ' .. id .. ' in ' .. keys[1]) end
    if not known[found[1]] then entries[#entries + 1] = found end
    known[found[1]] = true
  end
  for _, entry in ipairs(entries) do
    local what = put_back(keys, prefix, entry[1], entry[2])
    count[what] = count[what] + 1
  end
  return count, nil
end

local function replay_place(keys)
  local prefix, flow, wrong = place_of(keys)
  if not wrong and keys[2] ~= prefix .. 'jobs:' .. flow then
    wrong = redis.error_reply('ERR the second key must be the stream of the same flow, ' .. prefix .. 'jobs:' .. flow)
  end
  return prefix, wrong
end

-- FCALL advosync_replay <n> jobs:vmh:dead jobs:vmh [more keys…]  <id>… | all | topic <T> | since <ms> | range <from> <to>
-- Answers how many went back. That are at most MOST_REPLAYED with one call; after that answer there may be more.
local function replay(keys, args)
  if #args < 1 then return redis.error_reply(USAGE) end
  local prefix, wrong = replay_place(keys)
  if wrong then return wrong end
  local from, to, topic = selected(args)
  if not from then
    local count, unknown = replay_ids(keys, prefix, args)
    return unknown or count.replayed
  end
  local replayed, looked = 0, 0
  while from and replayed < MOST_REPLAYED and looked < MOST_SEEN do
    local count, seen, on = replay_page(keys, prefix, from, to, topic)
    replayed, looked, from = replayed + count.replayed, looked + seen, on
  end
  if replayed == 0 and from then
    local words = (topic ~= '' and 'topic ' .. topic .. ' ' or '') .. "range '" .. from .. "' " .. to
    return redis.error_reply('ERR nothing to replay among the first ' .. looked .. ' dead letters; go on with: ' .. words)
  end
  return replayed
end

-- advosync_replay_page, for programs: KEYS as above; ARGV 'ids', id… | 'range', from, to, topic or ''.
-- Answers {replayed, waiting, nameless, looked at, where to go on or ''}.
local function replay_page_for_programs(keys, args)
  local prefix, wrong = replay_place(keys)
  if wrong then return wrong end
  if args[1] == 'ids' then
    local ids = { unpack(args, 2) }
    local count, unknown = replay_ids(keys, prefix, ids)
    return unknown or { count.replayed, count.waiting, count.nameless, #ids, '' }
  end
  local count, seen, on = replay_page(keys, prefix, args[2], args[3], args[4])
  return { count.replayed, count.waiting, count.nameless, seen, on or '' }
end

-- FCALL advosync_discard <n> jobs:vmh:dead [jobs:vmh:dead:open jobs:vmh:dead:resolved]  <id>…
local function discard(keys, args)
  local usage = 'ERR usage: FCALL advosync_discard 1 jobs:vmh:dead <id>…'
  if #args < 1 then return redis.error_reply(usage) end
  local prefix, _, wrong = place_of(keys)
  if wrong then return wrong end
  for _, id in ipairs(args) do
    if not string.match(id, '^%d+%-%d+$') then return redis.error_reply(usage) end
  end
  local gone = 0
  for _, id in ipairs(args) do
    local letter = redis.call('XRANGE', keys[1], id, id)[1]
    if letter then
      gone = gone + redis.call('XDEL', keys[1], letter[1])
      forget(keys[1], prefix, letter[1], field(letter[2], 'topic'), field(letter[2], 'key'))
    end
  end
  return gone
end

-- FCALL_RO advosync_stats <n> jobs:vmh …
-- Per key: {key, type, length, running, ms since epoch of the oldest entry nobody has read yet, or -1}
local function stats(keys)
  local out = {}
  for _, key in ipairs(keys) do
    local kind = redis.call('TYPE', key).ok
    local row = { key, kind, 0, 0, -1 }
    if kind == 'stream' then
      row[3] = redis.call('XLEN', key)
      local groups = redis.call('XINFO', 'GROUPS', key)
      local last = '0-0'
      for _, group in ipairs(groups) do
        if field(group, 'name') == 'workers' then
          row[4] = field(group, 'pending')
          last = field(group, 'last-delivered-id')
        end
      end
      local oldest = redis.call('XRANGE', key, '(' .. last, '+', 'COUNT', 1)[1]
      if oldest then
        row[5] = tonumber(field(oldest[2], 'enqueued_at') or string.match(oldest[1], '^%d+')) or -1
      end
    elseif kind == 'zset' then
      row[3] = redis.call('ZCARD', key)
    elseif kind == 'hash' then
      row[3] = redis.call('HLEN', key)
    elseif kind == 'set' then
      row[3] = redis.call('SCARD', key)
    end
    out[#out + 1] = row
  end
  return out
end

redis.register_function { function_name = 'advosync_replay', callback = replay, flags = { 'allow-oom' } }
redis.register_function { function_name = 'advosync_replay_page', callback = replay_page_for_programs, flags = { 'allow-oom' } }
redis.register_function { function_name = 'advosync_discard', callback = discard, flags = { 'allow-oom' } }
redis.register_function { function_name = 'advosync_stats', callback = stats, flags = { 'no-writes' } }
