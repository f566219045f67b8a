-- Make a population belief the newest of its namespace: all of it at once, and only if nobody was faster.
--
-- KEYS  1 population (STRING)   2 population:<n> (STRING)   3 defaults (HASH)   4 population:pinned (SET)
--       5.. versions that are no longer among the newest: dropped unless they are pinned
-- ARGV  1 what `population` held when it was looked at; '' for nothing
--       2 n   3 the version
--       4.. facet, signal, facet, signal
-- Returns 1: done, 0: `population` has moved meanwhile and nothing was written.
-- Errors  WRONGTYPE: nothing was written.
--
-- Repeating a call changes nothing, as `population` has moved by then. The first write is one that Redis refuses when
-- it is out of memory; a script that has written is then let through to the end.

local population, version, defaults = KEYS[1], KEYS[2], KEYS[3]

if (redis.call('GET', population) or '') ~= ARGV[1] then
  return 0
end
local pinned = {}
for _, number in ipairs(redis.call('SMEMBERS', KEYS[4])) do
  pinned[population .. ':' .. number] = true
end

redis.call('SET', version, ARGV[3], 'NX')
redis.call('UNLINK', defaults)  -- facets that left the catalogue leave with it
if #ARGV > 3 then
  redis.call('HSET', defaults, unpack(ARGV, 4))
end
redis.call('SET', population, ARGV[2])
for i = 5, #KEYS do
  if not pinned[KEYS[i]] then
    redis.call('UNLINK', KEYS[i])
  end
end
return 1
