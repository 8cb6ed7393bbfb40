-- A part of apply.lua, forget.lua and reset.lua: the blocks of a packed layout, and the chain of its names; see schema/packing.py.
-- A layout that is worked on is a table: its keys `numbers`, `series` and `names`; `generation`, `count` of names,
-- `slots`, `shapes` and `digest` as `@state` has them; `entries` that are still to be appended to the names.

local MOST_ARGUMENTS = 2000

-- Calls a command with any number of arguments behind its key, some at a time.
local function in_parts(command, key, arguments)
  for i = 1, #arguments, MOST_ARGUMENTS do
    redis.pcall(command, key, unpack(arguments, i, math.min(i + MOST_ARGUMENTS - 1, #arguments)))
  end
end

-- A layout as it stands; nil if its keys do not fit together: one was evicted, or nothing is there yet.
local function standing(numbers, series, names)
  local text = redis.pcall('HGET', series, '@state')
  local generation, count, slots, shapes, digest =
    string.match(type(text) == 'string' and text or '', '^(%x+) (%d+) (%d+) (%d+) (%x+)$')
  if not generation or redis.pcall('LLEN', names) ~= tonumber(count) then
    return nil
  end
  if redis.pcall('STRLEN', numbers) ~= 8 * tonumber(slots) then
    return nil
  end
  return {
    numbers = numbers, series = series, names = names, generation = generation, digest = digest,
    count = tonumber(count), slots = tonumber(slots), shapes = tonumber(shapes), entries = {},
  }
end

-- Appends to the names; `keep` writes it.
local function chain(layout, what)
  layout.digest = string.sub(redis.sha1hex(layout.digest .. ' ' .. what), 1, 16)
  layout.count = layout.count + 1
  table.insert(layout.entries, layout.digest .. ' ' .. what)
end

local function keep(layout)
  in_parts('RPUSH', layout.names, layout.entries)
  layout.entries = {}
  local state = { layout.generation, layout.count, layout.slots, layout.shapes, layout.digest }
  redis.pcall('HSET', layout.series, '@state', table.concat(state, ' '))
end

-- How many slots the value of a block of this shape has, and the whole block; nil if the text is no shape.
local function slots_of(shape)
  local value, parts = string.match(shape, '^([23]) (%[.*%])$')
  local ok, list = pcall(cjson.decode, parts or '')
  if ok and type(list) == 'table' and #list > 0 then
    return tonumber(value), tonumber(value) + #list - 1
  end
end

-- The blocks of a series as its field has them, `<shape>:<slot>` with commas between them.
local function blocks_in(held)
  return string.gmatch(type(held) == 'string' and held or '', '(%d+):(%d+)')
end

-- The numbers of shapes, each with the slots of its value and of its blocks, and the fields that are series.
local function contents(layout)
  local shapes, fields = {}, {}
  for _, field in ipairs(redis.pcall('HKEYS', layout.series)) do
    local shape = string.match(field, '^@shape (.*)$')
    if shape then
      shapes[redis.pcall('HGET', layout.series, field)] = { slots_of(shape) }
    elseif string.sub(field, 1, 1) == '[' then
      fields[#fields + 1] = field
    end
  end
  return shapes, fields
end

-- How many numbers a layout has. Cost: O(series).
local function numbers_of(layout)
  local shapes, fields = contents(layout)
  local numbers = 0
  for _, field in ipairs(fields) do
    for shape in blocks_in(redis.pcall('HGET', layout.series, field)) do
      local value, slots = unpack(shapes[shape] or { 1, 0 })
      numbers = numbers + slots - value + 1
    end
  end
  return numbers
end

-- Removes the series of which `gone` says so. Their blocks become zero, are never used again, and what anybody knew of
-- blocks is known no more. Returns how many numbers they had.
-- Cost: O(series).
local function drop_series(layout, gone)
  local shapes, fields = contents(layout)
  local numbers, leaving = 0, {}
  for _, field in ipairs(fields) do
    if gone(field) then
      for shape, slot in blocks_in(redis.pcall('HGET', layout.series, field)) do
        local value, slots = unpack(shapes[shape] or {})
        if slots then
          redis.pcall('SETRANGE', layout.numbers, 8 * slot, string.rep('\0', 8 * slots))
          numbers = numbers + slots - value + 1
        end
        chain(layout, 'd ' .. slot)
      end
      leaving[#leaving + 1] = field
    end
  end
  if #leaving > 0 then
    layout.generation = layout.digest
    in_parts('HDEL', layout.series, leaving)
    keep(layout)
  end
  return numbers
end
