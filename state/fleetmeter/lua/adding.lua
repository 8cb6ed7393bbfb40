-- A part of apply.lua: adding to numbers, within what a family may hold.

local function add(key, field, amount)
  local result = redis.pcall('HINCRBY', key, field, amount)
  if type(result) == 'table' then
    result = redis.pcall('HINCRBYFLOAT', key, field, amount)
    check(result, key, field)
  end
  return result
end

-- Adds to a hash of so many fields; how many it has then, and whether the item made one.
local function add_telling(key, field, amount, length)
  local result = add(key, field, amount)
  if type(result) ~= 'string' and result ~= tonumber(amount) then
    return length, false
  end
  local grown = number(redis.pcall('HLEN', key))
  return grown, grown ~= length
end

-- The series of a field that was just made, if that is the first of it, and its marker; else nil.
local function first_of(key, field, parted)
  local series, part = split(field, parted)
  local marker = marker_of(series, parted)
  if marker == field or number(redis.pcall('HEXISTS', key, marker)) == 0 then
    return series, part, marker
  end
end

-- Adds to a family that has room for all, and notes which series are new to it.
local function add_noted(key, first, last, parted)
  local length, new = number(redis.pcall('HLEN', key)), false
  for i = first, last, 2 do
    length, new = add_telling(key, ARGV[i], ARGV[i + 1], length)
    local series = new and first_of(key, ARGV[i], parted)
    if series then
      came(string.sub(key, #stem + 1), marker_of(series, parted))
    end
  end
end

-- Adds to a family that may be full, one item at a time: a series that is new to it goes to `__overflow__` if it is.
-- While there is room an item is added first, and only a new field is looked at. With `noted`, new series
-- are noted.
local function add_bounded(key, length, labels, first, last, parted, noted)
  local overflow = overflow_of(labels, parted)
  local size, overflowed = size_of(key, length, parted, overflow), 0
  for i = first, last, 2 do
    local field, amount, full, new = ARGV[i], ARGV[i + 1], size >= limit, false
    if full then
      new = number(redis.pcall('HEXISTS', key, field)) == 0
    else
      length, new = add_telling(key, field, amount, length)
    end
    if new then
      local series, part, marker = first_of(key, field, parted)
      if not series or series == overflow then
        new = false
        if series and noted then
          came(string.sub(key, #stem + 1), marker)
        end
      elseif full then
        overflowed = overflowed + (marker == field and 1 or 0)
        field = overflow .. part
        if noted and number(redis.pcall('HEXISTS', key, marker_of(overflow, parted))) == 0 then
          came(string.sub(key, #stem + 1), marker_of(overflow, parted))
        end
      else
        if noted then
          came(string.sub(key, #stem + 1), marker)
        end
        size = size + 1
        length = length + (marker == field and 0 or number(redis.pcall('HSETNX', key, marker, 0)))
      end
    end
    if full then
      add(key, field, amount)
      if new and parted then
        redis.pcall('HSETNX', key, overflow .. SUM, 0)
      end
    end
  end
  if parted then
    remember(key, size)
  end
  if overflowed > 0 then
    note('overflow', overflowed .. ' ' .. key)
  end
end
