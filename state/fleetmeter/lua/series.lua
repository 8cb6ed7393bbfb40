-- A part of apply.lua: series, how many a family holds, and which came to it after a removal.

-- A field's series: the text before its last element, and that element, if a series has several fields.
local function split(field, parted)
  if not parted then
    return field, ''
  end
  local series, part = string.match(field, '^(.*)("[^"]*"%])$')
  return series or field, part or ''
end

-- How many label values a field has; 0 for a field that is not ours.
local function labels_of(field, parted)
  local ok, values = pcall(cjson.decode, field)
  return ok and type(values) == 'table' and #values - (parted and 1 or 0) or 0
end

-- The series that takes the amounts above `max_series`, in the form that `split` returns.
local function overflow_of(labels, parted)
  local series = '[' .. string.rep('"' .. OVERFLOW .. '",', labels)
  return parted and series or string.sub(series, 1, -2) .. ']'
end

-- Label sets of a family, as `sizes` has them; nil if its fields are not those that were counted.
local function remembered(key, length)
  local known = redis.pcall('HGET', KEYS[7], key)
  local size, fields = string.match(type(known) == 'string' and known or '', '^(%d+) (%d+)$')
  return fields and tonumber(fields) == length and tonumber(size)
end
local function remember(key, size)
  redis.pcall('HSET', KEYS[7], key, size .. ' ' .. number(redis.pcall('HLEN', key)))
end

-- The label sets that a family of so many fields holds besides `__overflow__`.
local function size_of(key, length, parted, overflow)
  if not parted then
    return length - number(redis.pcall('HEXISTS', key, overflow))
  end
  local size = remembered(key, length)
  if not size then
    size = 0
    for _, field in ipairs(list(redis.pcall('HKEYS', key))) do
      if string.sub(field, -#SUM) == SUM and field ~= overflow .. SUM then
        size = size + 1
      end
    end
  end
  return size
end

local stem = string.gsub(KEYS[3], 'families$', 'family:')

-- Whether something was ever removed of the layout whose field of `families` a text holds from there on: new series of
-- it may be returns.
local any_removed
local function had_removals(text, from)
  if any_removed == nil then
    any_removed = number(redis.pcall('HLEN', KEYS[8])) > 0
  end
  return any_removed and number(redis.pcall('HEXISTS', KEYS[8], string.sub(text, from))) == 1
end

-- The field that shows that a series is there: `sum` if it has several.
local function marker_of(series, parted)
  return parted and series .. SUM or series
end

-- Notes that the series of a marker came to a layout now.
local function came(layout, marker)
  redis.pcall('HSET', KEYS[8], layout .. ' ' .. marker, now)
end
