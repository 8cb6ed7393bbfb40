-- A part of apply.lua, compact.lua, forget.lua and reset.lua: a packed layout, the chain of its names and the index of
-- its series; see schema/packing.py.
-- A layout that is worked on is a table: its keys `numbers`, `series` and `names`; `generation`, `count` of names,
-- `digest`, `slots`, `shapes`, `size` (how many series) and `dead` (slots) as `@state` has them; `entries` that are still
-- to be appended to the names; `index`, the fields of the index that were read, as they are to be.

-- How many series stand in one entry of the names, at most.
local MOST_BORN = 500

-- Calls a command with any number of arguments behind its key, some at a time.
local function in_parts(command, key, arguments)
  for i = 1, #arguments, MOST_ARGUMENTS do
    redis.pcall(command, key, unpack(arguments, i, math.min(i + MOST_ARGUMENTS - 1, #arguments)))
  end
end

-- A layout with nothing in it, which is not in the store yet.
local function blank(numbers, series, names)
  return {
    numbers = numbers, series = series, names = names, digest = '', count = 0, slots = 0, shapes = 0, size = 0, dead = 0,
    entries = {}, index = {},
  }
end

local function standing(numbers, series, names)
  return as_stated(numbers, series, names, redis.pcall('HGET', series, '@state'))
end

-- Appends to the names; `keep` writes it.
local function chain(layout, what)
  layout.digest = string.sub(redis.sha1hex(layout.digest .. ' ' .. what), 1, 16)
  layout.count = layout.count + 1
  table.insert(layout.entries, layout.digest .. ' ' .. what)
end

-- What is alike in two series that stand one behind the other is written once; a character from a space on says how many
-- bytes that are, 94 at most.
local NONE, MOST_ALIKE = 32, 94

-- How many bytes two series begin and end with alike. Texts of 8 bytes are compared first, then single bytes.
local function in_common(before, series)
  local byte, sub = string.byte, string.sub
  local long, short, first, last = #before, #series, 0, 0
  local most = math.min(MOST_ALIKE, long, short)
  while first + 8 <= most and sub(before, first + 1, first + 8) == sub(series, first + 1, first + 8) do
    first = first + 8
  end
  while first < most and byte(before, first + 1) == byte(series, first + 1) do
    first = first + 1
  end
  most = math.min(MOST_ALIKE, long - first, short - first)
  while last + 8 <= most and sub(before, long - last - 7, long - last) == sub(series, short - last - 7, short - last) do
    last = last + 8
  end
  while last < most and byte(before, long - last) == byte(series, short - last) do
    last = last + 1
  end
  return first, last
end

-- The series of an entry of the names, given its lines, and what each begins and ends with of the one before it.
local function series_in(text)
  local byte, sub, find, firsts, lasts, n = string.byte, string.sub, string.find, {}, {}, 1
  local stop = find(text, '\n', 1, true)
  local before = stop and sub(text, 1, stop - 1) or text
  local series = { before }
  while stop do
    local at = stop + 1
    stop = find(text, '\n', at, true)
    local first, last = byte(text, at, at + 1)
    first, last = (first or NONE) - NONE, (last or NONE) - NONE
    before = sub(before, 1, first) .. sub(text, at + 2, stop and stop - 1) .. (last > 0 and sub(before, -last) or '')
    n = n + 1
    series[n], firsts[n], lasts[n] = before, first, last
  end
  return series, firsts, lasts
end

-- Says in the names that blocks of a shape come for these series, one behind the other, behind all others. `firsts` and
-- `lasts` have what a series begins and ends with of the one before it, as far as that is known.
local function chain_born(layout, number, width, series, firsts, lasts)
  local char, sub, min = string.char, string.sub, math.min
  for i = 1, #series, MOST_BORN do
    local lines, before = { series[i] }, series[i]
    for j = i + 1, min(i + MOST_BORN - 1, #series) do
      local one = series[j]
      local first, last = firsts and firsts[j], nil
      if first then
        last = min(lasts[j], #before - first, #one - first)
      else
        first, last = in_common(before, one)
      end
      lines[#lines + 1] = char(NONE + first, NONE + last) .. sub(one, first + 1, #one - last)
      before = one
    end
    local start = layout.slots + (i - 1) * width
    chain(layout, 'c ' .. start .. ' ' .. number .. ' ' .. table.concat(lines, '\n'))
  end
end

local function keep(layout)
  in_parts('RPUSH', layout.names, layout.entries)
  layout.entries = {}
  local sizes = ' ' .. layout.slots .. ' ' .. layout.shapes .. ' ' .. layout.size .. ' ' .. layout.dead
  redis.pcall('HSET', layout.series, '@state', end_of(layout) .. sizes)
end

-- How many slots the value of a block of this shape has, and the whole block; nil if the text is no shape.
local function slots_of(shape)
  local value, parts = string.match(shape, '^([23]) (%[.*%])$')
  local ok, list = pcall(cjson.decode, parts or '')
  if ok and type(list) == 'table' and #list > 0 then
    return tonumber(value), tonumber(value) + #list - 1
  end
end

-- Reads what the index has of some series into `layout.index`. Returns, in their order, the field of each, and what its
-- entries in there begin with.
local function look_up(layout, series)
  local index, fields, keys, unread = layout.index, {}, {}, {}
  for i = 1, #series do
    local digest = redis.sha1hex(series[i])
    local field = string.sub(digest, 1, 2)
    fields[i], keys[i] = field, string.sub(digest, 3, 20)
    if not index[field] then
      index[field] = ''
      unread[#unread + 1] = field
    end
  end
  if #unread > 0 then -- at most 256
    for i, text in ipairs(redis.pcall('HMGET', layout.series, unpack(unread))) do
      index[unread[i]] = text or ''
    end
  end
  return fields, keys
end

-- The numbers of shapes, each with the slots of its value and of its blocks.
local function shapes_of(layout)
  local shapes = {}
  for _, field in ipairs(redis.pcall('HKEYS', layout.series)) do
    local shape = string.match(field, '^@shape (.*)$')
    if shape then
      shapes[redis.pcall('HGET', layout.series, field)] = { slots_of(shape) }
    end
  end
  return shapes
end

-- How many numbers the blocks of a shape have.
local function numbers_in(shape)
  local value, slots = unpack(shape or { 1, 0 })
  return slots - value + 1
end

-- How many numbers a layout has. Cost: O(series).
local function numbers_of(layout)
  local shapes, numbers = shapes_of(layout), 0
  for _, text in ipairs(redis.pcall('HGETALL', layout.series)) do
    for shape in string.gmatch(text, '%x:(%d+):%d+;') do
      numbers = numbers + numbers_in(shapes[shape])
    end
  end
  return numbers
end

-- Removes these of the series that are there. Their blocks become zero, nothing is put there before a compaction, and
-- what anybody knew of blocks is known no more. Returns how many numbers they had.
-- Cost: O(these series).
local function drop_blocks(layout, series)
  local fields, keys = look_up(layout, series)
  local shapes, numbers, changed = shapes_of(layout), 0, {}
  for i, field in ipairs(fields) do
    local left, count = string.gsub(layout.index[field], keys[i] .. ':(%d+):(%d+);', function(shape, slot)
      local _, slots = unpack(shapes[shape] or {})
      if slots then
        redis.pcall('SETRANGE', layout.numbers, 8 * slot, string.rep('\0', 8 * slots))
        numbers, layout.dead = numbers + numbers_in(shapes[shape]), layout.dead + slots
      end
      chain(layout, 'd ' .. slot)
      return ''
    end)
    if count > 0 then
      layout.index[field], changed[field] = left, true
      layout.size = layout.size - 1
    end
  end
  if next(changed) then
    for field in pairs(changed) do
      if layout.index[field] == '' then
        redis.pcall('HDEL', layout.series, field)
      else
        redis.pcall('HSET', layout.series, field, layout.index[field])
      end
    end
    layout.generation = layout.digest
    keep(layout)
  end
  return numbers
end

-- The same for the series of which `gone` says so.
-- Cost: O(series that ever came).
local function drop_series(layout, gone)
  local leaving, looked_at = {}, {}
  for _, entry in ipairs(redis.pcall('LRANGE', layout.names, 0, -1)) do
    local lines = string.match(entry, '^%x+ c %d+ %d+ (.*)$')
    for _, series in ipairs(lines and series_in(lines) or {}) do
      if not looked_at[series] then
        looked_at[series] = true
        leaving[#leaving + 1] = gone(series) and series or nil
      end
    end
  end
  return drop_blocks(layout, leaving)
end
