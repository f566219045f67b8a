-- Write a user's changed fields, each if it is newer than the stored field; all checks come before any write.
--
-- KEYS  1 signals (HASH)   2 gate (STRING); both in one hash slot
-- ARGV  1 wiped_ms: time of the last wipe before these signals; 0: none
--       2 expire_at_ms: expiry of the signals; 0: never
--       3 "live"; or "fill": a replay next to live writers, whose fields must be newer in event time, not only in count
--       4 skew_ms: longest time of a version or a wipe ahead of this server's clock
--       5 ttl_ms: time to live, from a version's time; 0: no expiry
--       6.. field, value, field, value; each value is JSON with its version as the first member
-- Returns {code, applied, stale}; code 0: written, -1: older than the last wipe, -2: opted out.
-- Errors  BADEPOCH, BADVERSION, BADGATE: nothing was written.
--
-- A repeated or late call changes nothing. Only the first write can fail (OOM, READONLY), and then nothing is written;
-- so the script does not use redis.pcall.
--
-- The field `_epoch` has the last wipe before the signals, if any. It distinguishes signals from before a wipe even
-- where signals of another namespace raised the gate before the wipe itself.

local WIPED, TIME = '_epoch', '^{"v":"(%d%d%d%d%d%d%d%d%d%d%d%d%d)%-'
local VERSION = '^{"v":"(%d%d%d%d%d%d%d%d%d%d%d%d%d%-%d%d%d%d%d%d%d%d%d%d)"[,}]'
local PIN = '"source":"user"'

local signals, gate_key = KEYS[1], KEYS[2]
local wiped_ms, expire_at_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local fill = ARGV[3] == 'fill'

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local newest_ms = now_ms + ARGV[4]

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

local gate = redis.call('GET', gate_key) or '0000000000000-0000000000000'
local gate_wiped_ms, gate_flag = string.match(gate, '^(%d+)([-x])%d+$')
if #gate ~= 27 or not gate_wiped_ms then
  return redis.error_reply('BADGATE the gate is invalid: write consent and wipes again')
end
if gate_flag == 'x' then
  return {-2, 0, 0}
end
gate_wiped_ms = tonumber(gate_wiped_ms)

-- The stored fields, their wipe and their expiry. A write after a newer wipe deletes them.
local stored = redis.call('HMGET', signals, WIPED, unpack(fields))
local born_ms = tonumber(string.match(table.remove(stored, 1) or '', TIME) or 0)
if wiped_ms < gate_wiped_ms or wiped_ms < born_ms then
  return {-1, 0, 0}
end
local ttl_ms = redis.call('PTTL', signals)  -- -1 no expiry, -2 no key
local outdated = ttl_ms ~= -2 and wiped_ms > born_ms
if outdated then
  stored, ttl_ms = {}, -2
end

local current = {}  -- field -> newest version; `false` for none. A call can have a field twice.
for i, field in ipairs(fields) do
  current[field] = stored[i] and string.match(stored[i], VERSION) or false
end

local expired = expire_at_ms > 0 and expire_at_ms <= now_ms
local changes, unpinned, pinned = {}, {}, false
for i, field in ipairs(fields) do
  local value, version, old = ARGV[5 + 2 * i], versions[i], current[field]
  local pin = string.find(value, PIN, 1, true) ~= nil
  local newer = not old or (fill and string.sub(version, 1, 13) > string.sub(old, 1, 13)) or (not fill and version > old)
  if newer and (pin or not expired) then
    current[field] = version
    changes[#changes + 1] = field
    changes[#changes + 1] = value
    pinned = pinned or pin
  elseif newer and stored[i] and string.find(stored[i], PIN, 1, true) then
    -- The signal that replaces a pin has expired: delete the pin, and store nothing.
    current[field] = version
    unpinned[#unpinned + 1] = field
  end
end

if outdated then
  redis.call('UNLINK', signals)
end
if wiped_ms > gate_wiped_ms then
  redis.call('SET', gate_key, string.format('%013.0f', wiped_ms) .. string.sub(gate, 14))
end
local applied = #changes / 2 + #unpinned
if applied == 0 then
  return {0, 0, #fields}
end
if #unpinned > 0 then
  redis.call('HDEL', signals, unpack(unpinned))
end
if #changes > 0 then
  if ttl_ms == -2 and wiped_ms > 0 then
    changes[#changes + 1] = WIPED
    changes[#changes + 1] = string.format('{"v":"%013.0f-0000000000"}', wiped_ms)
  end
  redis.call('HSET', signals, unpack(changes))
elseif #redis.call('HVALS', signals) == 1 and born_ms > 0 then
  redis.call('UNLINK', signals)  -- only `_epoch` is left
end

-- A hash with a pin does not expire. The expiry of any other hash only moves forward.
-- After the last pin, the newest remaining field decides.
if not pinned and ttl_ms == -1 then
  for _, value in ipairs(redis.call('HVALS', signals)) do
    pinned = pinned or string.find(value, PIN, 1, true) ~= nil
    if expire_at_ms > 0 then
      expire_at_ms = math.max(expire_at_ms, tonumber(string.match(value, TIME) or 0) + ARGV[5])
    end
  end
end
if pinned or expire_at_ms == 0 then
  if ttl_ms >= 0 then
    redis.call('PERSIST', signals)
  end
elseif ttl_ms < 0 or expire_at_ms > now_ms + ttl_ms then
  redis.call('PEXPIREAT', signals, expire_at_ms)
end
return {0, applied, #fields - applied}
