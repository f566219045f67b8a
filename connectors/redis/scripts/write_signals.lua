-- Write a user's changed fields, each if it is newer than the stored field; all checks come before any write.
--
-- KEYS  1 signals (HASH)   2 gate (STRING); both in one hash slot
-- ARGV  1 wiped_ms: time of the last wipe before these signals; 0: none
--       2 expire_at_ms: expiry of the signals; 0: never
--       3 skew_ms: longest time of a version or a wipe ahead of this server's clock
--       4 tombstone_ms: time to live of a wipe, from its event time, in a gate that these signals raise
--       5 consent_ms: time to live of consents, from the user's last write
--       6.. field, value, field, value; each value is JSON with its version as the first member
-- Returns {code, applied, stale}; code 0: written, -1: older than the last wipe, -2: use is denied.
--         A field that is not newer than the last forget of its facet is stale, too.
-- Errors  BADEPOCH, BADVERSION; BADGATE: another program wrote the gate. Nothing was written.
--
-- A repeated or late call changes nothing. Only the first write can fail (OOM, READONLY), and then nothing is written.
--
-- The field `_epoch` has the last wipe before the signals, if any. It distinguishes signals from before a wipe even
-- where signals of another namespace raised the gate before the wipe itself.

local WIPED, TIME = '_epoch', '^{"v":"(%d%d%d%d%d%d%d%d%d%d%d%d%d)%-'
local VERSION = '^{"v":"(%d%d%d%d%d%d%d%d%d%d%d%d%d%-%d%d%d%d%d%d%d%d%d%d)"[,}]'

local signals, gate_key = KEYS[1], KEYS[2]
local wiped_ms, expire_at_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local tombstone_ms, consent_ms = tonumber(ARGV[4]), tonumber(ARGV[5])

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local newest_ms = now_ms + ARGV[3]

if not wiped_ms or wiped_ms < 0 or wiped_ms > newest_ms then
  return redis.error_reply('BADEPOCH wiped_ms is not a time in milliseconds, or is ahead of the clock of this Redis')
end

local fields, versions = {}, {}
local newest_version = string.format('%013.0f-9999999999', newest_ms)
for i = 6, #ARGV, 2 do
  local version = string.match(ARGV[i + 1], VERSION)
  if not version or version > newest_version then
    return redis.error_reply('BADVERSION a version is invalid, or is ahead of the clock of this Redis')
  end
  fields[#fields + 1] = ARGV[i]
  versions[#versions + 1] = version
end

local gate_content = stored_gate_text(gate_key)
local gate = gate_content and read_gate(gate_content)
if not gate then
  return redis.error_reply('BADGATE another program wrote the key of the gate: delete the key, then rebuild')
end
if gate.use.state == 'n' then
  return {-2, 0, 0}
end

-- The stored fields, their wipe and their expiry. A write after a newer wipe deletes them.
local stored = redis.call('HMGET', signals, WIPED, unpack(fields))
local born_ms = tonumber(string.match(table.remove(stored, 1) or '', TIME) or 0)
if wiped_ms < gate.wiped_ms or wiped_ms < born_ms then
  return {-1, 0, 0}
end
local ttl_ms = redis.call('PTTL', signals)  -- -1 no expiry, -2 no key
local outdated = ttl_ms ~= -2 and wiped_ms > born_ms
if outdated then
  stored, ttl_ms = {}, -2
end

local current = {}  -- field -> newest version; '' for none. A call can have a field twice.
for i, field in ipairs(fields) do
  current[field] = stored[i] and string.match(stored[i], VERSION) or ''
end

local changes, expired = {}, expire_at_ms > 0 and expire_at_ms <= now_ms
for i, field in ipairs(fields) do
  local version = versions[i]
  if version > current[field] and not expired and version > (gate.wiped[field] or '') then
    current[field] = version
    changes[#changes + 1] = field
    changes[#changes + 1] = ARGV[5 + 2 * i]
  end
end

if outdated then
  redis.call('UNLINK', signals)
end
if wiped_ms > gate.wiped_ms then
  local left_ms = redis.call('PTTL', gate_key)
  redis.call('SET', gate_key, gate_time(wiped_ms) .. string.sub(gate_content, 14))
  if left_ms ~= -1 then
    redis.call('PEXPIREAT', gate_key, math.max(now_ms + left_ms, wiped_ms + tombstone_ms, expire_at_ms))
  end
elseif #changes > 0 then
  local left_ms = redis.call('PTTL', gate_key)
  if left_ms >= 0 and left_ms < consent_ms - DAY_MS and has_consent(gate) then
    redis.call('PEXPIRE', gate_key, consent_ms)
  elseif left_ms == -1 and #gate_content == 27 then  -- a gate of the first form, which did not expire
    redis.call('PEXPIREAT', gate_key, math.max(now_ms + consent_ms, gate.wiped_ms + tombstone_ms))
  end
end
if #changes == 0 then
  return {0, 0, #fields}
end
local applied = #changes / 2
if ttl_ms == -2 and wiped_ms > 0 then
  changes[#changes + 1] = WIPED
  changes[#changes + 1] = string.format('{"v":"%013.0f-0000000000"}', wiped_ms)
end
redis.call('HSET', signals, unpack(changes))

-- The expiry only moves forward; signals from before every hash expired get one.
if expire_at_ms == 0 then
  if ttl_ms >= 0 then
    redis.call('PERSIST', signals)
  end
elseif ttl_ms < 0 or expire_at_ms > now_ms + ttl_ms then
  redis.call('PEXPIREAT', signals, expire_at_ms)
end
return {0, applied, #fields - applied}
