-- A part of apply.lua, compact.lua, convert.lua, forget.lua and reset.lua: a packed layout as its `@state` has it, all that
-- a batch by slot needs; blocks.lua says what the table holds, and has the rest.

local MOST_ARGUMENTS = 2000

-- How many slots a string has, given how many are in use; see `room_for` in schema/packing.py.
local function room_for(slots)
  local step = 8
  while 16 * step <= slots do
    step = 2 * step
  end
  return math.ceil(slots / step) * step
end

-- A layout as it stands; nil if its keys do not fit together: one was evicted, or nothing is there yet. `text` is its
-- `@state`.
local function as_stated(numbers, series, names, text)
  local generation, count, digest, slots, shapes, size, dead =
    string.match(type(text) == 'string' and text or '', '^(%x+) (%d+) (%x+) (%d+) (%d+) (%d+) (%d+)$')
  if not generation or redis.pcall('LLEN', names) ~= tonumber(count) then
    return nil
  end
  if redis.pcall('STRLEN', numbers) ~= 8 * room_for(tonumber(slots)) then
    return nil
  end
  return {
    numbers = numbers, series = series, names = names, generation = generation, digest = digest,
    count = tonumber(count), slots = tonumber(slots), shapes = tonumber(shapes), size = tonumber(size),
    dead = tonumber(dead), entries = {}, index = {},
  }
end

-- How far the names go, as a writer knows it.
local function end_of(layout)
  return layout.generation .. ' ' .. layout.count .. ' ' .. layout.digest
end
