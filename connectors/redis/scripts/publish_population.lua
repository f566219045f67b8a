-- Publish a population version in a namespace as a whole, unless another version was published meanwhile.
--
-- KEYS  1 population (STRING)   2 population:<n> (STRING)   3 defaults (HASH)   4 population:pinned (SET)
--       5.. old versions to delete, unless they are pinned
-- ARGV  1 expected content of `population`; '' for a missing key
--       2 n   3 the version
--       4.. facet, signal, facet, signal
-- Returns 1: published, 0: `population` has another content, and nothing was written.
-- Errors  WRONGTYPE: nothing was written.
--
-- A repeated call changes nothing, as `population` has changed. Redis rejects the first write when it is out of memory,
-- and after that write allows the later ones.

local population, version, defaults = KEYS[1], KEYS[2], KEYS[3]

if (redis.call('GET', population) or '') ~= ARGV[1] then
  return 0
end
local pinned = {}
for _, number in ipairs(redis.call('SMEMBERS', KEYS[4])) do
  pinned[population .. ':' .. number] = true
end

redis.call('SET', version, ARGV[3], 'NX')
redis.call('UNLINK', defaults)  -- with facets that the catalogue no longer has
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
