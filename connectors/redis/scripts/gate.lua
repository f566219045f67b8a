-- Merge a user's wipes and consent into the gate, and delete the user's signals where necessary.
--
-- KEYS  1 gate (STRING)   2.. the user's signals (HASH) in every registered namespace; all in one hash slot
-- ARGV  1 wiped_ms: time of the last wipe; 0: none
--       2 consent_at_ms: time of the last consent event; 0: none
--       3 "x": that event is an opt-out; "-": an opt-in, or no event
--       4 skew_ms: longest time ahead of this server's clock
-- Returns 1 if the gate changed, else 0.
-- Errors  BADEPOCH: nothing was written.
--
-- The gate keeps the latest wipe and the latest consent event; of two at the same time, the opt-out. The order of calls
-- and repeated calls therefore make no difference. Each path begins with a deletion (UNLINK, HDEL), which Redis allows
-- when it is out of memory; Redis then allows the script's later writes, too.

local gate_key = KEYS[1]
local wiped_ms, consent_at_ms, flag = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]

local time = redis.call('TIME')
local newest_ms = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[4]
if not wiped_ms or wiped_ms < 0 or wiped_ms > newest_ms then
  return redis.error_reply('BADEPOCH wiped_ms is not a time in milliseconds, or is ahead of the clock of this Redis')
end
if not consent_at_ms or consent_at_ms < 0 or consent_at_ms > newest_ms or (flag ~= 'x' and flag ~= '-') then
  return redis.error_reply('BADEPOCH the consent is not a flag and a time, or is ahead of the clock of this Redis')
end

local old = redis.call('GET', gate_key) or ''
local old_wiped_ms, old_flag, old_consent_at = string.match(old, '^(%d+)([-x])(%d+)$')
if #old ~= 27 or not old_wiped_ms then
  old_wiped_ms, old_flag, old_consent_at = 0, '-', 0
end
old_wiped_ms, old_consent_at = tonumber(old_wiped_ms), tonumber(old_consent_at)

local rises = wiped_ms > old_wiped_ms
wiped_ms = math.max(wiped_ms, old_wiped_ms)
if old_consent_at > consent_at_ms or (old_consent_at == consent_at_ms and old_flag == 'x') then
  flag, consent_at_ms = old_flag, old_consent_at
end
local wiped_text, consent_text = string.format('%013.0f', wiped_ms), string.format('%013.0f', consent_at_ms)

-- Return whether signals are older than the wipe. This happens where a namespace was registered during another
-- writer's wipe, and where signals of another namespace raised the gate. A key of another type is outdated, too.
local function outdated(signals)
  if redis.call('TYPE', signals).ok ~= 'hash' then
    return true
  end
  local born_ms = string.match(redis.call('HGET', signals, '_epoch') or '', '^{"v":"(%d%d%d%d%d%d%d%d%d%d%d%d%d)%-')
  return tonumber(born_ms or 0) < wiped_ms
end

for i = 2, #KEYS do
  if rises or flag == 'x' or outdated(KEYS[i]) then
    redis.call('UNLINK', KEYS[i])
  else
    redis.call('HDEL', KEYS[i], '_status')
  end
end

local gate = wiped_text .. flag .. consent_text
redis.call('SET', gate_key, gate)

if flag == 'x' then
  local status = '{"v":"' .. consent_text .. '-0000000000","status":"opted_out"}'
  for i = 2, #KEYS do
    redis.call('HSET', KEYS[i], '_status', status)
  end
end
return gate == old and 0 or 1
