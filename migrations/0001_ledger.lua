#!lua name=advosync_1_ledger
-- The ledger, layout 1: which records are paired, what both sides looked like when they last agreed, and which creates
-- are under way. Every write is fenced by the record's lock: a run that lost its lease changes nothing.
--
-- KEYS[1] is the lock, ARGV[1] its expected value. Answers start with 'ok', 'fenced', 'taken' or 'busy'.

local function held(keys, args)
  return redis.call('GET', keys[1]) == args[1]
end

-- The record that has an open intent with this digest, unless it is `id` itself.
local function rival(by_digest, digest, id)
  if digest == '' then return nil end
  local other = redis.call('HGET', by_digest, digest)
  return other and other ~= id and other or nil
end

local function forget_intent(intents, by_digest, id)
  local text = redis.call('HGET', intents, id)
  if not text then return end
  local digest = cjson.decode(text).digest
  if redis.call('HGET', by_digest, digest) == id then redis.call('HDEL', by_digest, digest) end
  redis.call('HDEL', intents, id)
end

-- pair: KEYS lock, pairs, numbers, intents, intents by digest; ARGV lock value, id, number, pair, digest ('' = no new link)
-- Stores the pair of a record; its own intent is done with. {'taken', id}: the number belongs to another record.
-- {'busy', id}: another record with equal search keys is being created, so a link would be a guess.
local function pair(keys, args)
  if not held(keys, args) then return { 'fenced' } end
  local id, number = args[2], args[3]
  local owner = redis.call('HGET', keys[3], number)
  if owner and owner ~= id then return { 'taken', owner } end
  local other = rival(keys[5], args[5], id)
  if other then return { 'busy', other } end
  local before = redis.call('HGET', keys[2], id)
  if before then
    local old = cjson.decode(before).number
    if old ~= number and redis.call('HGET', keys[3], old) == id then redis.call('HDEL', keys[3], old) end
  end
  redis.call('HSET', keys[2], id, args[4])
  redis.call('HSET', keys[3], number, id)
  forget_intent(keys[4], keys[5], id)
  return { 'ok' }
end

-- intend: KEYS lock, intents, intents by digest; ARGV lock value, id, digest, intent
-- Stores that a create is about to begin, unless another record with equal search keys is being created.
local function intend(keys, args)
  if not held(keys, args) then return { 'fenced' } end
  local other = rival(keys[3], args[3], args[2])
  if other then return { 'busy', other } end
  forget_intent(keys[2], keys[3], args[2])
  redis.call('HSET', keys[2], args[2], args[4])
  if args[3] ~= '' then redis.call('HSET', keys[3], args[3], args[2]) end
  return { 'ok' }
end

-- withdraw: KEYS lock, intents, intents by digest; ARGV lock value, id. The create is known not to have happened.
local function withdraw(keys, args)
  if not held(keys, args) then return { 'fenced' } end
  forget_intent(keys[2], keys[3], args[2])
  return { 'ok' }
end

-- dissolve: KEYS lock, pairs, numbers, intents, intents by digest, dissolved; ARGV lock value, id, what is kept of it
local function dissolve(keys, args)
  if not held(keys, args) then return { 'fenced' } end
  local id = args[2]
  local before = redis.call('HGET', keys[2], id)
  if before then
    local number = cjson.decode(before).number
    if redis.call('HGET', keys[3], number) == id then redis.call('HDEL', keys[3], number) end
    redis.call('HDEL', keys[2], id)
    redis.call('HSET', keys[6], id, args[3])
  end
  forget_intent(keys[4], keys[5], id)
  return { 'ok' }
end

local function register(name, callback)
  redis.register_function { function_name = 'advosync_1_ledger_' .. name, callback = callback, flags = { 'allow-oom' } }
end

register('pair', pair)
register('intend', intend)
register('withdraw', withdraw)
register('dissolve', dissolve)
