-- Make a namespace the active one, and remember the one before, unless another promotion came first.
--
-- KEYS  1 active (STRING)   2 previous (STRING); both in one hash slot
-- ARGV  1 the namespace   2 the active namespace that the caller has read   3 the active namespace without a key
-- Returns {1, before}: the namespace is active; {0, active}: another one is active, and nothing was written.
--
-- A repeated call changes nothing. Redis rejects the first write when it is out of memory, and after that write allows
-- the second one.

local active = redis.call('GET', KEYS[1]) or ARGV[3]
if active == ARGV[1] and redis.call('GET', KEYS[2]) == ARGV[2] then
  return {1, ARGV[2]}
end
if active ~= ARGV[2] then
  return {0, active}
end
redis.call('SET', KEYS[2], active)
redis.call('SET', KEYS[1], ARGV[1])
return {1, active}
