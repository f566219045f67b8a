-- End the lease of a live run on a namespace; the state folder stays.
--
-- KEYS  1 owner (HASH)
-- ARGV  1 the run, as JSON
-- Returns 1: ended, 0: another run holds the namespace.

if redis.call('HGET', KEYS[1], 'run') ~= ARGV[1] then
  return 0
end
redis.call('HDEL', KEYS[1], 'run', 'until_ms')
return 1
