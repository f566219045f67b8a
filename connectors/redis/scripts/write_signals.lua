-- Write the changed fields of one person, each if it is newer than what is stored; all checks come before any write.
--
-- KEYS  1 signals (HASH)   2 gate (STRING): the same slot
-- ARGV  1 epoch_ms: time of the wipe that the writing state was born under; 0: none
--       2 expire_at_ms: when the signals expire; 0: never
--       3 "live", or "fill": a replay beside live writers, which must be newer in event time, not only in count
--       4 skew_ms: how far ahead of this server's clock a version or an epoch may be
--       5 ttl_ms: from a version's time to when it expires; 0: never
--       6.. field, value, field, value: each value JSON whose first member is its version
-- Returns {code, applied, stale}; code 0: done, -1: born before the last wipe, -2: opted out.
-- Errors  BADEPOCH, BADVERSION, BADGATE: nothing was written.
--
-- Repeating a call, or making an older one late, changes nothing. redis.pcall is not used: an error of Redis
-- (OOM, READONLY) comes from the first write, so it leaves nothing half done.
--
-- The field `_epoch` is the wipe that a hash was born under, if there was one: what a namespace held before the wipe is
-- known by it, whatever came first, the wipe's gate or signals of another namespace that raised it.

local EPOCH, TIME = '_epoch', '^{"v":"(%d%d%d%d%d%d%d%d%d%d%d%d%d)%-'
local VERSION = '^{"v":"(%d%d%d%d%d%d%d%d%d%d%d%d%d%-%d%d%d%d%d%d%d%d%d%d)"[,}]'
local PIN = '"source":"user"'

local signals, gate_key = KEYS[1], KEYS[2]
local epoch_ms, expire_at_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local fill = ARGV[3] == 'fill'

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local newest_ms = now_ms + ARGV[4]

if not epoch_ms or epoch_ms < 0 or epoch_ms > newest_ms then
  return redis.error_reply('BADEPOCH the epoch is no time in milliseconds, or ahead of the clock of this Redis')
end

local fields, versions = {}, {}
local newest_version = string.format('%013.0f-9999999999', newest_ms)
for i = 6, #ARGV, 2 do
  local version = string.match(ARGV[i + 1], VERSION)
  if not version or version > newest_version then
    return redis.error_reply('BADVERSION a version is malformed, or ahead of the clock of this Redis')
  end
  fields[#fields + 1] = ARGV[i]
  versions[#versions + 1] = version
end

local gate = redis.call('GET', gate_key) or '0000000000000-0000000000000'
local gate_epoch, gate_flag = string.match(gate, '^(%d+)([-x])%d+$')
if #gate ~= 27 or not gate_epoch then
  return redis.error_reply('BADGATE the gate is malformed: write consent and wipes again')
end
if gate_flag == 'x' then
  return {-2, 0, 0}
end
gate_epoch = tonumber(gate_epoch)

-- What is stored, until when, and the wipe it was born under. A write under a newer one wipes it.
local stored = redis.call('HMGET', signals, EPOCH, unpack(fields))
local born_ms = tonumber(string.match(table.remove(stored, 1) or '', TIME) or 0)
if epoch_ms < gate_epoch or epoch_ms < born_ms then
  return {-1, 0, 0}
end
local ttl_ms = redis.call('PTTL', signals)  -- -1 no expiry, -2 no key
local wiped = ttl_ms ~= -2 and epoch_ms > born_ms
if wiped then
  stored, ttl_ms = {}, -2
end

local current = {}  -- field -> newest version; `false` for none. A field may stand twice in one call.
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
    -- What takes a pin's place has expired: it is not worth storing, but the pin has to go.
    current[field] = version
    unpinned[#unpinned + 1] = field
  end
end

if wiped then
  redis.call('UNLINK', signals)
end
if epoch_ms > gate_epoch then
  redis.call('SET', gate_key, string.format('%013.0f', epoch_ms) .. string.sub(gate, 14))
end
local applied = #changes / 2 + #unpinned
if applied == 0 then
  return {0, 0, #fields}
end
if #unpinned > 0 then
  redis.call('HDEL', signals, unpack(unpinned))
end
if #changes > 0 then
  if ttl_ms == -2 and epoch_ms > 0 then
    changes[#changes + 1] = EPOCH
    changes[#changes + 1] = string.format('{"v":"%013.0f-0000000000"}', epoch_ms)
  end
  redis.call('HSET', signals, unpack(changes))
elseif #redis.call('HVALS', signals) == 1 and born_ms > 0 then
  redis.call('UNLINK', signals)  -- nothing but `_epoch` is left
end

-- A hash that holds a pin does not expire; any other does, and its expiry is only ever put off. With the last pin gone
-- it is that of the newest of what is left.
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
