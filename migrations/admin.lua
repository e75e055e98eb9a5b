#!lua name=advosync_admin
-- What people call from redis-cli (ops/runbook.md shows each call). Names are stable; `advosync migrate` replaces the
-- library. Pass the streams first, then whatever else is named; a pending set that is passed takes part in
-- de-duplication, one that is not is left alone.

local function field(fields, name)
  for i = 1, #fields, 2 do
    if fields[i] == name then return fields[i + 1] end
  end
  return nil
end

-- What a burial added to the job; a replay starts anew, at attempt 0 (Q7).
-- It is a person's wish, whoever asked first.
local ADDED = { source = true, attempt = true, errors = true, error = true, code = true, failed_at = true, worker = true, lane = true, reason = true }

local function ends_with(text, tail)
  return tail == '' or string.sub(text, -#tail) == tail
end

-- The pending set of a job, if the caller passed it: vmh.<entity>.<action> → vmh:<entity>:<action>_pending
local function pending_of(keys, topic, lane)
  local wanted = nil
  local entity, action = string.match(topic or '', '^vmh%.([^.]+)%.([^.]+)$')
  if entity then
    wanted = 'vmh:' .. entity .. ':' .. action .. '_pending'
  elseif topic == 'calendar_sync_employee' or topic == 'calendar_sync_all' then
    wanted = 'calendar_sync:pending'
  end
  if not wanted then return nil end
  if lane == 'sweep' then wanted = wanted .. ':sweep' end
  for i = 3, #keys do
    if ends_with(keys[i], wanted) then return keys[i] end
  end
  return nil
end

local function stream_of(keys, lane)
  if lane == 'sweep' then
    for i = 3, #keys do
      if ends_with(keys[i], ':sweep') and string.find(keys[i], 'jobs:', 1, true) then return keys[i] end
    end
  end
  return keys[2]
end

local function forget(keys, id)
  for i = 3, #keys do
    if ends_with(keys[i], ':dead:resolved') then redis.call('HDEL', keys[i], id) end
  end
end

-- FCALL advosync_replay <n> jobs:vmh:dead jobs:vmh [more keys…]  <id>… | all | topic <T> | since <ms>
local function replay(keys, args)
  if #keys < 2 or #args < 1 then
    return redis.error_reply('ERR usage: FCALL advosync_replay <n> jobs:vmh:dead jobs:vmh … <id>… | all | topic <T> | since <ms>')
  end
  local entries = {}
  if args[1] == 'all' or args[1] == 'topic' then
    entries = redis.call('XRANGE', keys[1], '-', '+')
  elseif args[1] == 'since' then
    entries = redis.call('XRANGE', keys[1], args[2] or '-', '+')
  else
    for _, id in ipairs(args) do
      local found = redis.call('XRANGE', keys[1], id, id)[1]
      if not found then return redis.error_reply('ERR no dead letter ' .. id .. ' in ' .. keys[1]) end
      entries[#entries + 1] = found
    end
  end
  local replayed = 0
  for _, entry in ipairs(entries) do
    local id, fields = entry[1], entry[2]
    local topic, key = field(fields, 'topic'), field(fields, 'key')
    if topic and key and (args[1] ~= 'topic' or topic == args[2]) then
      local lane = field(fields, 'lane')
      local pending = pending_of(keys, topic, lane)
      -- A job for the same key is queued already: it will do, and until it has, the letter stays.
      local payload = field(fields, 'payload')
      local member = payload and payload ~= '' and key .. ' ' .. payload or key
      if not pending or redis.call('SADD', pending, member) == 1 then
        local out = { 'source', 'replay' }
        for i = 1, #fields, 2 do
          if not ADDED[fields[i]] then
            out[#out + 1] = fields[i]
            out[#out + 1] = fields[i + 1]
          end
        end
        redis.call('XADD', stream_of(keys, lane), '*', unpack(out))
        redis.call('XDEL', keys[1], id)
        forget(keys, id)
        replayed = replayed + 1
      end
    end
  end
  return replayed
end

-- FCALL advosync_discard <n> jobs:vmh:dead [jobs:vmh:dead:resolved]  <id>…
local function discard(keys, args)
  if #args < 1 then return redis.error_reply('ERR usage: FCALL advosync_discard 1 jobs:vmh:dead <id>…') end
  local gone = 0
  for _, id in ipairs(args) do
    gone = gone + redis.call('XDEL', keys[1], id)
    for i = 2, #keys do redis.call('HDEL', keys[i], id) end
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
redis.register_function { function_name = 'advosync_discard', callback = discard, flags = { 'allow-oom' } }
redis.register_function { function_name = 'advosync_stats', callback = stats, flags = { 'no-writes' } }
