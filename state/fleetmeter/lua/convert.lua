-- Moves numbers from the hash of a layout to the packed layout of the same family: one step of a conversion.
--
-- KEYS[1..8] as of apply: writers, retired, families, gauges, exemplars, removed, sizes, returned
-- KEYS[9] the hash  KEYS[10] numbers, KEYS[11] series, KEYS[12] names of the packed layout
-- ARGV[1] epoch id  ARGV[2] id of the writer that calls  ARGV[3] label sets that a family may hold
-- ARGV[4] field of the hash's layout in `families`  ARGV[5] that of the packed layout
-- ARGV[6] `parts` if a series has several numbers, else `one`
-- ARGV[7..] what is moved, by shape: the shape, number of fields, then for each field of the hash
--   { field, its text, series, number of amounts, then a place in the block and the amount for each }
-- A field is moved only if the hash has this very text under it: then the amounts are what the text says, however late
-- or often the call arrives, and whatever the store went back to. A field stays in the hash if the packed layout has no
-- room for its series, or if a slot would overflow: nothing goes to `__overflow__` that had its own series before.
-- What is added leaves the hash in the same script, so the sum of both is the same before and after. With the numbers go
-- their exemplars, and when their series came back. The definition of the hash's layout stays: if an old writer comes
-- back, what it adds can be read at once.
-- Reply: { status, number of fields that were moved }; status is
--   converted  done
--   epoch      the namespace has another epoch, or none; nothing changed
--   undefined  one of the layouts has no definition, so that nobody can read it; nothing changed
-- Cost: O(fields named).

local OVERFLOW, SUM = '__overflow__', '"sum"]'

--@include replies
local writer, limit, from, to, token = ARGV[2], whole(ARGV[3]), ARGV[4], ARGV[5], 'convert'
local parted = ARGV[6] == 'parts'
if #KEYS ~= 12 or not (limit and from and to and (parted or ARGV[6] == 'one')) then
  return redis.error_reply('FLEETMETER convert: malformed arguments')
end
local time = redis.call('TIME')
local now = string.format('%d%06d', time[1], time[2])
if string.match(redis.call('HGET', KEYS[1], '@epoch') or '', '^%S*') ~= ARGV[1] then
  return { 'epoch', '0' }
end

local failed = {}  -- slots, as BITFIELD names them
local function check(result, _, slot)
  if type(result) == 'table' and result.err then
    failed[slot] = true
  end
end

local add_to_slots, add_named, remove_packed, lacks, tell_grown

--@include series
--@include stated
--@include blocks
--@include packed_forms
--@include packed_layouts
--@include slots
--@include packed

if redis.call('HEXISTS', KEYS[3], from) == 0 or redis.call('HEXISTS', KEYS[3], to) == 0 then
  return { 'undefined', '0' }
end

-- All of the call, by shape, looked at before anything is written.
local sections, seen, at = {}, {}, 7
while at <= #ARGV do
  local shape, count = ARGV[at], whole(ARGV[at + 1])
  local value, slots = slots_of(shape)
  if not (value and count) then
    return redis.error_reply('FLEETMETER convert: malformed shape at ' .. at)
  end
  local section = { shape = shape, value = value, width = slots, fields = {}, texts = {}, series = {}, starts = {} }
  at = at + 2
  for _ = 1, count do
    local field, amounts = ARGV[at], whole(ARGV[at + 3])
    if not amounts or at + 3 + 2 * amounts > #ARGV or string.find(ARGV[at + 2], '\n', 1, true) then
      return redis.error_reply('FLEETMETER convert: malformed field at ' .. at)
    end
    for i = at + 4, at + 3 + 2 * amounts, 2 do
      if (whole(ARGV[i]) or slots) >= slots then
        return redis.error_reply('FLEETMETER convert: malformed place at ' .. i)
      end
    end
    if not seen[field] then
      local n = #section.fields + 1
      section.fields[n], section.texts[n], section.series[n] = field, ARGV[at + 1], ARGV[at + 2]
      section.starts[n], seen[field] = at + 3, true
    end
    at = at + 4 + 2 * amounts
  end
  sections[#sections + 1] = section
end

-- A write of nothing: a store that is full, or read-only, stops the script here.
redis.call('SETRANGE', KEYS[10], 0, '')

-- What was removed of the one was removed of both, for those who ask when a series of it came.
local first = had_removals(from, 1) and redis.pcall('HGET', KEYS[8], from)
if type(first) == 'string' then
  redis.pcall('HSETNX', KEYS[8], to, first)
end
local noted = had_removals(to, 1)
local with_exemplars = number(redis.pcall('HLEN', KEYS[5])) > 0

local function held_by(key, fields)
  local held = {}
  for i = 1, #fields, MOST_ARGUMENTS do
    local found = redis.pcall('HMGET', key, unpack(fields, i, math.min(i + MOST_ARGUMENTS - 1, #fields)))
    for j = 1, #found do
      held[i + j - 1] = found[j]
    end
  end
  return held
end

-- The fields whose text is as the call says, as a section of these only.
local function standing_in(section)
  local current = held_by(KEYS[9], section.fields)
  local found = { value = section.value, fields = {}, series = {}, starts = {} }
  for i, field in ipairs(section.fields) do
    if current[i] == section.texts[i] then
      local n = #found.fields + 1
      found.fields[n], found.series[n], found.starts[n] = field, section.series[i], section.starts[i]
    end
  end
  return found
end

-- The blocks of all series of a section, which may have several fields in it; `false` for a series without room.
local function blocks_for(layout, section, series)
  local names, told = {}, {}
  for _, name in ipairs(series) do
    if told[name] == nil then
      told[name] = false
      names[#names + 1] = name
    end
  end
  local slots = place(layout, to, section.shape, section.width, parted, names, true)
  for i, name in ipairs(names) do
    told[name] = slots[i]
  end
  return told
end

-- Takes back what was added for a field of which another slot had no room.
local function take_back(numbers, slot, start)
  for j = start + 1, start + 2 * naturals[ARGV[start]], 2 do
    local name, amount = tostring(slot + ARGV[j]), ARGV[j + 1]
    if not failed['#' .. name] then
      local negative = string.sub(amount, 1, 1) == '-'
      increment(numbers, name, negative and string.sub(amount, 2) or '-' .. amount)
    end
  end
end

-- Adds the amounts of fields to their blocks; those that are in.
local function add_fields(layout, here, blocks)
  local slots, taken = {}, {}
  for i, series in ipairs(here.series) do
    slots[i] = blocks[series]
  end
  failed = {}
  add_blocks(layout, here, slots, nil, 1, #slots)
  for i, field in ipairs(here.fields) do
    local slot, start = slots[i], here.starts[i]
    local went = slot and true or false
    for j = start + 1, slot and start + 2 * naturals[ARGV[start]] or 0, 2 do
      went = went and not failed['#' .. slot + ARGV[j]]
    end
    if went then
      taken[#taken + 1] = field
    elseif slot then
      take_back(layout.numbers, slot, start)
    end
  end
  return taken
end

-- A series that both layouts have came when it came to the first of them; no time means that it always was there.
local function join_returns(fields)
  for _, field in ipairs(fields) do
    if not parted or string.sub(field, -#SUM) == SUM then
      local old, new = redis.pcall('HGET', KEYS[8], from .. ' ' .. field), redis.pcall('HGET', KEYS[8], to .. ' ' .. field)
      if type(old) ~= 'string' or type(new) ~= 'string' then
        redis.pcall('HDEL', KEYS[8], to .. ' ' .. field)
      elseif tonumber(old) < tonumber(new) then
        redis.pcall('HSET', KEYS[8], to .. ' ' .. field, old)
      end
      redis.pcall('HDEL', KEYS[8], from .. ' ' .. field)
    end
  end
end

local function move_exemplars(fields)
  local names, others = {}, {}
  for i, field in ipairs(fields) do
    names[i], others[i] = from .. ' ' .. field, to .. ' ' .. field
  end
  local old, new = held_by(KEYS[5], names), held_by(KEYS[5], others)
  for i, name in ipairs(names) do
    if old[i] then
      local set, was = string.match(old[i], '^%d+'), new[i] and string.match(new[i], '^%d+')
      if set and not (was and tonumber(was) > tonumber(set)) then
        redis.pcall('HSET', KEYS[5], others[i], old[i])
      end
      redis.pcall('HDEL', KEYS[5], name)
    end
  end
end

local moved = 0
for _, section in ipairs(sections) do
  local here = standing_in(section)
  if #here.fields > 0 then
    local layout = layout_at(10) or begin(10)
    local taken = add_fields(layout, here, blocks_for(layout, section, here.series))
    in_parts('HDEL', KEYS[9], taken)
    if noted then
      join_returns(taken)
    end
    if with_exemplars then
      move_exemplars(taken)
    end
    moved = moved + #taken
  end
end
if moved > 0 then
  redis.pcall('HDEL', KEYS[7], KEYS[9])
end

return { 'converted', tostring(moved) }
