-- Take or renew the lease of a live run on a namespace.
--
-- KEYS  1 owner (HASH)
-- ARGV  1 the run, as JSON
--       2 "take", or "renew"
--       3 the run that is replaced although its lease has not ended; '' for none
--       4 lease_ms: length of the lease
--       5 renew_ms: rest of the lease up to which a renewal extends the lease
--       6 id of the state folder that the signals come from
-- Returns {1, until_ms before, taken_ms}: held; until_ms is 0 where the key was missing.
--         {0, left_ms, taken_ms, the run}: another run holds the namespace, or held it since this run's lease ended.
--         taken_ms is the time at which the holder took the namespace; each take has a later one than the take before.
--
-- The clock is that of this server. A renewal extends a lease that has ended, if no other run took the namespace.

local owner, run = KEYS[1], ARGV[1]
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

local held, until_text, taken_text = unpack(redis.call('HMGET', owner, 'run', 'until_ms', 'taken_ms'))
local until_ms, taken_ms = tonumber(until_text or '') or 0, tonumber(taken_text or '') or 0
local is_ours = held == run
local is_free = not held or held == '' or (ARGV[2] == 'take' and (until_ms <= now_ms or held == ARGV[3]))

if not is_ours and not is_free then
  return {0, math.max(0, until_ms - now_ms), taken_ms, held}
end
if not is_ours then
  taken_ms = math.max(now_ms, taken_ms + 1)
end
if not is_ours or until_ms - now_ms <= tonumber(ARGV[5]) then
  local new_ms = string.format('%013.0f', now_ms + ARGV[4])
  local taken = string.format('%013.0f', taken_ms)
  redis.call('HSET', owner, 'run', run, 'until_ms', new_ms, 'taken_ms', taken, 'state', ARGV[6])
end
return {1, held and until_ms or 0, taken_ms}
