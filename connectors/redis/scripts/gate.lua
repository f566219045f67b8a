-- Merge one person's wipes and consent into the gate, and clear their signals where that asks for it.
--
-- KEYS  1 gate (STRING)   2.. the person's signals (HASH) in every registered namespace: the same slot
-- ARGV  1 epoch_ms: time of the last wipe; 0: none
--       2 consent_at_ms: time of the last word on consent; 0: none
--       3 "x": that word was no; "-": it was yes, or there was none
--       4 skew_ms: how far ahead of this server's clock a time may be
-- Returns 1 if the gate changed, 0 if it said all this before.
-- Errors  BADEPOCH: nothing was written.
--
-- The epoch is a maximum; of two words on consent the newer counts, and of two at the same time the "no". So the
-- gate ends the same in any order and after any repeats. Each path first deletes (UNLINK, HDEL), which Redis allows
-- when it is out of memory; a script that has written is then let through to the end.

local gate_key = KEYS[1]
local epoch_ms, consent_at_ms, flag = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]

local time = redis.call('TIME')
local newest_ms = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[4]
if not epoch_ms or epoch_ms < 0 or epoch_ms > newest_ms then
  return redis.error_reply('BADEPOCH the epoch is no time in milliseconds, or ahead of the clock of this Redis')
end
if not consent_at_ms or consent_at_ms < 0 or consent_at_ms > newest_ms or (flag ~= 'x' and flag ~= '-') then
  return redis.error_reply('BADEPOCH the consent is no flag and time, or ahead of the clock of this Redis')
end

local old = redis.call('GET', gate_key) or ''
local old_epoch, old_flag, old_consent_at = string.match(old, '^(%d+)([-x])(%d+)$')
if #old ~= 27 or not old_epoch then
  old_epoch, old_flag, old_consent_at = 0, '-', 0
end
old_epoch, old_consent_at = tonumber(old_epoch), tonumber(old_consent_at)

local rises = epoch_ms > old_epoch
local epoch = math.max(epoch_ms, old_epoch)
if old_consent_at > consent_at_ms or (old_consent_at == consent_at_ms and old_flag == 'x') then
  flag, consent_at_ms = old_flag, old_consent_at
end
local epoch_text, consent_text = string.format('%013.0f', epoch), string.format('%013.0f', consent_at_ms)

-- A namespace that was registered while another writer wiped, or whose gate was raised by signals of another one, still
-- holds what the wipe was for: its hash was born under an older wipe, or none.
-- So does what is no hash: another program's.
local function outdated(signals)
  if redis.call('TYPE', signals).ok ~= 'hash' then
    return true
  end
  local born = string.match(redis.call('HGET', signals, '_epoch') or '', '^{"v":"(%d%d%d%d%d%d%d%d%d%d%d%d%d)%-')
  return tonumber(born or 0) < epoch
end

for i = 2, #KEYS do
  if rises or flag == 'x' or outdated(KEYS[i]) then
    redis.call('UNLINK', KEYS[i])
  else
    redis.call('HDEL', KEYS[i], '_status')
  end
end

local gate = epoch_text .. flag .. consent_text
redis.call('SET', gate_key, gate)

if flag == 'x' then
  local status = '{"v":"' .. consent_text .. '-0000000000","status":"opted_out"}'
  for i = 2, #KEYS do
    redis.call('HSET', KEYS[i], '_status', status)
  end
end
return gate == old and 0 or 1
