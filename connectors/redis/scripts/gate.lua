-- Merge a gate of a user into the stored gate, and delete the user's signals where necessary.
--
-- KEYS  1 gate (STRING)   2.. the user's signals (HASH) in every registered namespace; all in one hash slot
-- ARGV  1 the gate as text
--       2 tombstone_ms: time to live of wipes and removed pins, from their event time
--       3 consent_ms: time to live of consents, from the user's last write
--       4 ttl_ms: time to live of signals, which a new wipe outlives; 0: none
-- Returns 1 if the stored gate changed, else 0.
-- Errors  BADGATE: the stored value, or the given text, is no gate. The stored value is kept, as it can be a newer
--         program's "no"; the user's signals are deleted, and readers turn the user away.
--
-- The newest entry of each part holds; of two states of the same time, the stricter one; of two pins, the given one.
-- A given "no" or forget of time 1 had no time anywhere (state.user.control): a stored "yes" and pins give way to it.
-- Apart from these and pins of one time, the order of calls and repeated calls make no difference. Times ahead of this server's
-- clock are taken: a "no" must not be lost. A gate with a "no" or a pin has no expiry.
--
-- Each path begins with a deletion (UNLINK, HDEL), which Redis allows when it is out of memory; Redis then allows the
-- script's later writes, too.

local gate_key = KEYS[1]
local tombstone_ms, consent_ms, ttl_ms = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local old_text = stored_gate_text(gate_key)
local old, new = read_gate(old_text or ''), read_gate(ARGV[1])
if not old or not new then
  redis.call('UNLINK', unpack(KEYS, 2))
  return redis.error_reply('BADGATE another program wrote the key of the gate: delete the key, then rebuild')
end

local UNTIMED_MS = 1
local forgets_untimed = new.forgotten_ms == UNTIMED_MS

for _, scope in ipairs(SCOPES) do
  if new[scope].state == 'n' and new[scope].since_ms == UNTIMED_MS then
    new[scope].since_ms = math.max(old[scope].since_ms, UNTIMED_MS)
  end
end

local function newer(one, other)
  if one.since_ms ~= other.since_ms then
    return one.since_ms > other.since_ms and one or other
  end
  return STRICTNESS[one.state] > STRICTNESS[other.state] and one or other
end

local function merged(stored, given)
  local gate = {
    wiped_ms = math.max(stored.wiped_ms, given.wiped_ms),
    forgotten_ms = math.max(stored.forgotten_ms, given.forgotten_ms),
    pins = {},
    wiped = {},
  }
  for _, scope in ipairs(SCOPES) do
    gate[scope] = newer(stored[scope], given[scope])
  end
  for _, one in ipairs(forgets_untimed and {given} or {stored, given}) do
    for facet, pin in pairs(one.pins) do
      local current = gate.pins[facet]
      if pin.at_ms > gate.forgotten_ms and (not current or pin.at_ms >= current.at_ms) then
        gate.pins[facet] = pin
      end
    end
    for facet, version in pairs(one.wiped) do  -- a wipe of everything covers the earlier wipes of facets
      if tonumber(string.sub(version, 1, 13)) > gate.wiped_ms and version > (gate.wiped[facet] or '') then
        gate.wiped[facet] = version
      end
    end
  end
  return gate
end

local gate = merged(old, new)
local is_denied = gate.use.state == 'n'

-- Return whether signals are older than the wipe. This happens where a namespace was registered during another
-- writer's wipe, and where signals of another namespace raised the gate. A key of another type is outdated, too.
local function outdated(signals)
  if redis.call('TYPE', signals).ok ~= 'hash' then
    return true
  end
  local born_ms = string.match(redis.call('HGET', signals, '_epoch') or '', '^{"v":"(%d%d%d%d%d%d%d%d%d%d%d%d%d)%-')
  return tonumber(born_ms or 0) < gate.wiped_ms
end

-- Return the facets whose stored signal is not newer than the wipe of the facet.
local function wiped_facets(signals)
  local found = {}
  for facet, wiped in pairs(gate.wiped) do
    local version = string.match(redis.call('HGET', signals, facet) or '', '^{"v":"([%d-]+)"')
    if (version or '') <= wiped then
      found[#found + 1] = facet
    end
  end
  return found
end

for i = 2, #KEYS do
  if is_denied or gate.wiped_ms > old.wiped_ms or outdated(KEYS[i]) then
    redis.call('UNLINK', KEYS[i])
  else
    local deleted = redis.call('HDEL', KEYS[i], '_status', unpack(wiped_facets(KEYS[i])))
    if deleted > 0 and redis.call('HLEN', KEYS[i]) == 1 and redis.call('HGET', KEYS[i], '_epoch') then
      redis.call('UNLINK', KEYS[i])  -- only the time of the wipe is left
    end
  end
end

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

-- Return the time at which the gate expires; nil: never.
local function expiry_ms()
  local newest_ms = math.max(gate.wiped_ms, gate.forgotten_ms)
  for _, version in pairs(gate.wiped) do
    newest_ms = math.max(newest_ms, tonumber(string.sub(version, 1, 13)))
  end
  for _, pin in pairs(gate.pins) do
    if pin.value then
      return nil
    end
    newest_ms = math.max(newest_ms, pin.at_ms)
  end
  local expire_at_ms = newest_ms > 0 and math.max(newest_ms + tombstone_ms, now_ms + ttl_ms) or now_ms + consent_ms
  for _, scope in ipairs(SCOPES) do
    if gate[scope].state == 'n' then
      return nil
    end
  end
  return has_consent(gate) and math.max(expire_at_ms, now_ms + consent_ms) or expire_at_ms
end

local text, expire_at_ms = gate_text(gate), expiry_ms()
local left_ms = redis.call('PTTL', gate_key)
if text ~= old_text then
  redis.call('SET', gate_key, text)
  if expire_at_ms then
    redis.call('PEXPIREAT', gate_key, expire_at_ms)
  end
elseif expire_at_ms and left_ms == -1 then  -- from before gates expired
  redis.call('PEXPIREAT', gate_key, expire_at_ms)
elseif expire_at_ms and left_ms < consent_ms - DAY_MS and has_consent(gate) then
  redis.call('PEXPIRE', gate_key, consent_ms)
end

if is_denied then
  local status = '{"v":"' .. gate_time(gate.use.since_ms) .. '-0000000000","status":"opted_out"}'
  for i = 2, #KEYS do
    redis.call('HSET', KEYS[i], '_status', status)
  end
end
return text == old_text and 0 or 1
