-- The text of a gate; `client/tacit/contract/gates.py` describes it. This file precedes both scripts that use gates.

local NO_GATE = string.rep('0', 26) .. string.rep('-0000000000000', 3)
local SCOPES = {'learn', 'use', 'explore'}
local STRICTNESS = {y = 0, ['-'] = 1, l = 2, n = 3}  -- of two states of the same time, the stricter one holds
local NAME = '^[a-z0-9][a-z0-9_.-]*$'
local VERSION_TEXT = '^%d%d%d%d%d%d%d%d%d%d%d%d%d%-%d%d%d%d%d%d%d%d%d%d$'

local DAY_MS = 86400000

local function is_time(at_ms)
  return type(at_ms) == 'number' and at_ms >= 0 and at_ms < 1e13 and at_ms == math.floor(at_ms)
end

-- Read the pins and the partial wipes; return nil for JSON of another form.
local function read_facets(json)
  local is_json, found = pcall(cjson.decode, json)
  if not is_json or type(found) ~= 'table' or type(found.pins or {}) ~= 'table' or type(found.wiped or {}) ~= 'table' then
    return nil
  end
  local pins, wiped = {}, {}
  for facet, pin in pairs(found.pins or {}) do
    if type(facet) ~= 'string' or not string.find(facet, NAME) or type(pin) ~= 'table' or #pin ~= 2 then
      return nil
    end
    local value, at_ms = pin[1], pin[2]
    local is_value = value == cjson.null or (type(value) == 'string' and string.find(value, NAME))
    if not is_value or not is_time(at_ms) then
      return nil
    end
    pins[facet] = {value = value ~= cjson.null and value or nil, at_ms = at_ms}
  end
  for facet, version in pairs(found.wiped or {}) do
    if type(facet) ~= 'string' or not string.find(facet, NAME)
      or type(version) ~= 'string' or not string.find(version, VERSION_TEXT) then
      return nil
    end
    wiped[facet] = version
  end
  return pins, wiped
end

-- Read a gate of the first form (27 characters): the last wipe, and one consent for all scopes.
local function read_first_form(text)
  local wiped_ms, flag, since_ms = string.match(text, '^(%d+)([-x])(%d+)$')
  if not wiped_ms or #wiped_ms ~= 13 then
    return nil
  end
  wiped_ms, since_ms = tonumber(wiped_ms), tonumber(since_ms)
  local consent = {state = 'n', since_ms = since_ms}
  if flag == '-' then
    local holds = since_ms > wiped_ms  -- a later wipe without an opt-out is a forget, which ends the consent
    consent = {state = holds and 'y' or '-', since_ms = holds and since_ms or wiped_ms}
  end
  return {wiped_ms = wiped_ms, forgotten_ms = 0, learn = consent, use = consent, explore = consent, pins = {}, wiped = {}}
end

-- Read a gate: times as numbers, consents by scope, pins and partial wipes by facet. Return nil for any other text.
local function read_gate(text)
  if #text == 27 then
    return read_first_form(text)
  end
  local times, at1, learn, learn_ms, at2, use, use_ms, at3, explore, explore_ms, at4 =
    string.match(text, '^(%d+)()([-yln])(%d+)()([-yln])(%d+)()([-yln])(%d+)()')
  if at1 ~= 27 or at2 ~= 41 or at3 ~= 55 or at4 ~= 69 then
    return nil
  end
  local pins, wiped = {}, {}
  if #text > 68 then
    pins, wiped = read_facets(string.sub(text, 69))
    if not pins then
      return nil
    end
  end
  return {
    wiped_ms = tonumber(string.sub(times, 1, 13)),
    forgotten_ms = tonumber(string.sub(times, 14)),
    learn = {state = learn, since_ms = tonumber(learn_ms)},
    use = {state = use, since_ms = tonumber(use_ms)},
    explore = {state = explore, since_ms = tonumber(explore_ms)},
    pins = pins,
    wiped = wiped,
  }
end

local function has_consent(gate)
  return gate.learn.state ~= '-' or gate.use.state ~= '-' or gate.explore.state ~= '-'
end

local function gate_time(at_ms)
  return string.format('%013.0f', at_ms)
end

-- Return the JSON of facets in the order of their names; nil without facets.
local function facets_text(facets, as_json)
  local names, texts = {}, {}
  for facet in pairs(facets) do
    names[#names + 1] = facet
  end
  table.sort(names)
  for i, facet in ipairs(names) do
    texts[i] = '"' .. facet .. '":' .. as_json(facets[facet])
  end
  return #texts > 0 and '{' .. table.concat(texts, ',') .. '}' or nil
end

-- Return the text of a gate; equal gates have equal texts.
local function gate_text(gate)
  local text = gate_time(gate.wiped_ms) .. gate_time(gate.forgotten_ms)
  for _, scope in ipairs(SCOPES) do
    text = text .. gate[scope].state .. gate_time(gate[scope].since_ms)
  end
  local pins = facets_text(gate.pins, function(pin)
    return '[' .. (pin.value and '"' .. pin.value .. '"' or 'null') .. ',' .. string.format('%.0f', pin.at_ms) .. ']'
  end)
  local wiped = facets_text(gate.wiped, function(version) return '"' .. version .. '"' end)
  local parts = {}
  parts[#parts + 1] = pins and '"pins":' .. pins
  parts[#parts + 1] = wiped and '"wiped":' .. wiped
  return #parts > 0 and text .. '{' .. table.concat(parts, ',') .. '}' or text
end

-- Return the text of the stored gate, or nil if another program wrote the key.
local function stored_gate_text(key)
  local text = redis.pcall('GET', key)
  if type(text) == 'table' then  -- WRONGTYPE
    return nil
  end
  return text or NO_GATE
end
