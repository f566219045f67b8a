-- Write the history of a user, if it is newer than the stored one or comes after a newer wipe, and never from before one.
--
-- KEYS  1 history (STRING)   2 gate (STRING); both in one hash slot
-- ARGV  1 the history, JSON with its version as the first member
--       2 wiped_ms: time of the last wipe before this history; 0: none
--       3 at_ms: event time of the last entry; the time to live counts from here, or from now if that is earlier
--       4 ttl_ms: time to live; 0: unlimited
-- Returns 1: written, or deleted as it has expired; 0: nothing changed.
--
-- A repeated or late call changes nothing. The first write is a deletion, which Redis allows when it is out of memory;
-- Redis then allows the later writes, too.

local VERSION = '^{"v":"(%d%d%d%d%d%d%d%d%d%d%d%d%d%-%d%d%d%d%d%d%d%d%d%d)"[,}]'

local history, gate_key = KEYS[1], KEYS[2]

local function text_of(key)
  local text = redis.pcall('GET', key)
  return type(text) == 'string' and text or ''  -- another program may have written another type
end

local wiped_ms, known_ms = tonumber(ARGV[2]), tonumber(string.sub(text_of(gate_key), 1, 13)) or 0
local is_newer = string.match(ARGV[1], VERSION) > (string.match(text_of(history), VERSION) or '')
if wiped_ms < known_ms or (wiped_ms == known_ms and not is_newer) then
  return 0
end

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local ttl_ms = tonumber(ARGV[4])
local expire_at_ms = math.min(tonumber(ARGV[3]), now_ms) + ttl_ms

redis.call('UNLINK', history)
if ttl_ms == 0 or expire_at_ms > now_ms then
  redis.call('SET', history, ARGV[1])
  if ttl_ms > 0 then
    redis.call('PEXPIREAT', history, expire_at_ms)
  end
end
return 1
