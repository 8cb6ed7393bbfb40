-- Removes a family, or the series of it that fit a pattern, and notes in `removed` that this was done on purpose.
-- Example: "openai_tokens_used" has the labels model and type; '["gpt-6",null]' fits all its series of gpt-6.
--
-- KEYS[1] families  KEYS[2] gauges  KEYS[3] exemplars  KEYS[4] removed  KEYS[5] sizes  KEYS[6] returned
-- KEYS[7..] of each layout of the family, in the order of ARGV: the hash of its numbers, and the numbers, series and
--   names that it has if it is packed
-- ARGV[1] family
-- ARGV[2..] for each layout two texts: its field in `families`, and what is removed of it: `all`, `none`, or a pattern.
--   A pattern is a JSON array of label values in the order of their sorted names; null fits any value.
-- Reply: { status, numbers, gauges, exemplars, layouts }, how many fields of each were removed; status is
--   removed  done; each layout or pattern that had something is in `removed`, with the store's time in µs
--   retry    `families` names a layout of the family that was not passed: nothing changed
-- Deletions come first: the store allows them while its memory is full, and then also allows the writes that follow in
-- the same script.
-- Cost: O(numbers of the family + all gauges + all exemplars + all notes in `removed` and `returned`).

local family, FIXED, EACH = ARGV[1], 6, 4
local count = (#KEYS - FIXED) / EACH
if count < 1 or #ARGV ~= 1 + 2 * count then
  return redis.error_reply('FLEETMETER forget: malformed arguments')
end
local packed_types = { [2] = 'string', [0] = 'list' }  -- by the place among a layout's keys; all others are hashes
for i = 1, #KEYS do
  local kind, expected = redis.call('TYPE', KEYS[i]).ok, i > FIXED and packed_types[(i - FIXED) % EACH] or 'hash'
  if kind ~= 'none' and kind ~= expected then
    return redis.error_reply('FLEETMETER forget: ' .. KEYS[i] .. ' is no ' .. expected)
  end
end

local layouts, wanted = {}, {}
for i = 1, count do
  local field, what = ARGV[2 * i], ARGV[2 * i + 1]
  if what ~= 'all' and what ~= 'none' then
    local ok, pattern = pcall(cjson.decode, what)
    if not ok or type(pattern) ~= 'table' then
      return redis.error_reply('FLEETMETER forget: malformed pattern ' .. what)
    end
    wanted[field] = pattern
  end
  layouts[field] = what
end
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.match(field, '^(.*):[^:]*$') == family and not layouts[field] then
    return { 'retry', '0', '0', '0', '0' }
  end
end

--@include notes
--@include stated
--@include blocks

local function goes(field, values)
  return layouts[field] == 'all' or wanted[field] ~= nil and fits(values, wanted[field])
end

local had = {}  -- layouts of which something was removed
local function drop(key, fields)
  for i = 1, #fields, 1000 do
    redis.call('HDEL', key, unpack(fields, i, math.min(i + 999, #fields)))
  end
  return #fields
end
local function chosen(key, split)
  local fields = {}
  for _, field in ipairs(redis.call('HKEYS', key)) do
    local ok, layout, values = pcall(split, field)
    if ok and layout and goes(layout, values) then
      fields[#fields + 1] = field
      had[layout] = true
    end
  end
  return fields
end

local numbers, gone = 0, {}
for i = 1, count do
  local field, at = ARGV[2 * i], FIXED + EACH * (i - 1) + 1
  local key, packed = KEYS[at], standing(KEYS[at + 1], KEYS[at + 2], KEYS[at + 3])
  if layouts[field] == 'all' then
    numbers = numbers + redis.call('HLEN', key) + (packed and numbers_of(packed) or 0)
    redis.call('UNLINK', unpack(KEYS, at, at + EACH - 1))
    if redis.call('HEXISTS', KEYS[1], field) == 1 then
      gone[#gone + 1] = field
      had[field] = true
    end
  elseif layouts[field] ~= 'none' then
    numbers = numbers + drop(key, chosen(key, function(text) return field, cjson.decode(text) end))
    local of_series = packed and drop_series(packed, function(text) return goes(field, cjson.decode(text)) end) or 0
    had[field], numbers = had[field] or of_series > 0 or nil, numbers + of_series
  end
  if had[field] then
    redis.call('HDEL', KEYS[5], key)
  end
end
local gauges = drop(KEYS[2], chosen(KEYS[2], function(text)
  local series = cjson.decode(string.match(text, '^%S+ (.*)$'))
  return series[1] .. ':' .. series[2], series[3]
end))
local function number_of(text)
  local layout, number = split_note(text)
  return layout, layout and cjson.decode(number)
end
local exemplars = drop(KEYS[3], chosen(KEYS[3], number_of))
drop(KEYS[6], chosen(KEYS[6], number_of))
drop(KEYS[1], gone)

local time = redis.call('TIME')
local now = string.format('%d%06d', time[1], time[2])
local covered = {}  -- notes about series of a layout that is gone as a whole
for _, note in ipairs(redis.call('HKEYS', KEYS[4])) do
  local layout = split_note(note)
  if layout and had[layout] and layouts[layout] == 'all' then
    covered[#covered + 1] = note
  end
end
drop(KEYS[4], covered)
for field in pairs(had) do
  local what = layouts[field]
  redis.call('HSET', KEYS[4], what == 'all' and field or field .. ' ' .. what, now)
  if what == 'all' then
    redis.call('HDEL', KEYS[6], field)
  else
    redis.call('HSETNX', KEYS[6], field, now)
  end
end
gather_notes(KEYS[4], KEYS[1])
return { 'removed', tostring(numbers), tostring(gauges), tostring(exemplars), tostring(#gone) }
