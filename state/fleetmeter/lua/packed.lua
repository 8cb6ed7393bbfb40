-- A part of apply.lua: adding to packed layouts, by name or by slot.

function add_indexed(index, first)
  local plain, wholes, remainders = tonumber(ARGV[first + 3]), tonumber(ARGV[first + 4]), tonumber(ARGV[first + 5])
  add_to_slots(KEYS[index], ARGV, first + 6, plain, wholes, remainders)
end

-- Begins a layout, and drops what is left of one that was evicted in part.
local function begin(index)
  local numbers, series, names = KEYS[index], KEYS[index + 1], KEYS[index + 2]
  redis.pcall('DEL', numbers, series, names)
  local layout = {
    numbers = numbers, series = series, names = names, digest = '', count = 0, slots = 0, shapes = 0, entries = {},
  }
  chain(layout, 'g ' .. now .. ' ' .. writer .. ' ' .. token)
  layout.generation = layout.digest
  keep(layout)
  packed[index] = layout
  return layout
end

local function held_by(key, series)
  local held = {}
  for i = 1, #series, MOST_ARGUMENTS do
    local found = redis.pcall('HMGET', key, unpack(series, i, math.min(i + MOST_ARGUMENTS - 1, #series)))
    for j = 1, #found do
      held[i + j - 1] = found[j]
    end
  end
  return held
end

-- The block of one shape in what a series has; nil if it has none.
local function slot_in(held, wanted)
  for shape, slot in blocks_in(held) do
    if shape == wanted then
      return tonumber(slot)
    end
  end
end

-- Gives blocks of a shape to series that have none, within what the layout may hold. `series` is a list, and the slots
-- that it returns have the same order; `false` is that of a series that goes to `__overflow__`, whose slot is returned,
-- too, if there is one. How many series did so comes last. With `own`, nothing is shared: those just have no block.
local function place(layout, field, shape, width, parted, series, own)
  local number = redis.pcall('HGET', layout.series, '@shape ' .. shape)
  if type(number) ~= 'string' then
    number = tostring(layout.shapes)
  end
  local held, slots, missing = held_by(layout.series, series), {}, 0
  for i = 1, #series do
    slots[i] = slot_in(held[i], number)
    missing = missing + (slots[i] and 0 or 1)
  end
  if missing == 0 then
    return slots, nil, 0
  end
  local size = redis.pcall('HLEN', layout.series) - 1 - layout.shapes
  local overflow, overflowed = nil, 0
  if size + missing > limit and labels_of(series[1]) > 0 then
    overflow = overflow_of(labels_of(series[1]))
    size = size - redis.pcall('HEXISTS', layout.series, overflow)
  end
  local born, fields, came_now, next_slot = {}, {}, {}, layout.slots
  local function bear(name, before)
    fields[#fields + 1] = name
    fields[#fields + 1] = (before and before .. ',' or '') .. number .. ':' .. next_slot
    born[#born + 1] = 'b ' .. next_slot .. ' ' .. number .. ' ' .. name
    if not before then
      came_now[#came_now + 1] = name
    end
    next_slot = next_slot + width
    return next_slot - width
  end
  local shared
  for i, name in ipairs(series) do
    if not slots[i] then
      if held[i] or not overflow or name == overflow or size < limit then
        slots[i] = bear(name, held[i])
        size = size + ((held[i] or name == overflow) and 0 or 1)
        shared = name == overflow and slots[i] or shared
      else
        slots[i], overflowed = false, overflowed + 1
      end
    end
  end
  if overflowed > 0 and not (shared or own) then
    local before = redis.pcall('HGET', layout.series, overflow)
    shared = slot_in(before, number) or bear(overflow, before)
  end
  if #born > 0 then
    local grown = redis.pcall('SETRANGE', layout.numbers, 8 * next_slot - 1, '\0')
    if type(grown) == 'table' then -- a string has no room for them
      for i, name in ipairs(series) do
        if (slots[i] or next_slot) >= layout.slots then
          slots[i] = false
          check(grown, layout.numbers, name)
        end
      end
      return slots, nil, 0
    end
    layout.slots = next_slot
    if number == tostring(layout.shapes) then
      chain(layout, 's ' .. shape)
      fields[#fields + 1], fields[#fields + 2] = '@shape ' .. shape, number
      layout.shapes = layout.shapes + 1
    end
    for _, what in ipairs(born) do
      chain(layout, what)
    end
    in_parts('HSET', layout.series, fields)
    keep(layout)
    if had_removals(field, 1) then
      for _, name in ipairs(came_now) do
        came(field, parted and string.sub(name, 1, -2) .. (name == '[]' and '' or ',') .. SUM or name)
      end
    end
  end
  return slots, shared, overflowed
end

function add_named(index, first)
  local layout = layout_at(index) or begin(index)
  local shape, count, at = ARGV[first], tonumber(ARGV[first + 1]), first + 2
  local value, width = slots_of(shape)
  local series, starts = {}, {}
  for i = 1, count do
    series[i], starts[i] = ARGV[at], at + 1
    at = at + 2 + 2 * tonumber(ARGV[at + 1])
  end
  local field = string.sub(layout.numbers, #numbers_stem + 1)
  local slots, shared, overflowed = place(layout, field, shape, width, value .. ' [""]' ~= shape, series)
  local function add_blocks(from, to)
    local kinds = { {}, {}, {} } -- plain slots, wholes, remainders
    for i = from, to do
      local slot, start = slots[i] or shared, starts[i]
      for j = start + 1, slot and start + 2 * tonumber(ARGV[start]) or 0, 2 do
        local offset = tonumber(ARGV[j])
        local kind = kinds[offset > 0 and offset < value and offset + 1 or 1]
        kind[#kind + 1] = '#' .. slot + offset
        kind[#kind + 1] = ARGV[j + 1]
      end
    end
    local items = {}
    for _, kind in ipairs(kinds) do
      for j = 1, #kind, 2 do
        local n = #items
        items[n + 1], items[n + 2], items[n + 3], items[n + 4] = 'INCRBY', 'i64', kind[j], kind[j + 1]
      end
    end
    add_to_slots(layout.numbers, items, 1, #kinds[1] / 2, #kinds[2] / 2, #kinds[3] / 2)
  end
  if overflowed == 0 then
    add_blocks(1, count)
  else -- one by one: several have the same block
    for i = 1, count do
      add_blocks(i, i)
    end
    note('overflow', overflowed .. ' ' .. layout.numbers)
  end
  local told = { field, layout.generation, layout.count, layout.digest }
  for i = 1, count do
    told[#told + 1] = slots[i] or '-'
  end
  note('learned', table.concat(told, ' '))
end

-- Removes series of a packed layout; see `remove`.
function remove_packed(index, first, last)
  local taken, layout = taken_by(first, last), layout_at(index)
  if taken.every or not layout then
    redis.pcall('DEL', KEYS[index], KEYS[index + 1], KEYS[index + 2])
    packed[index] = nil
  else
    drop_series(layout, function(series)
      return goes(taken, taken.parted and string.sub(series, 1, -2) .. ',' or series, series)
    end)
  end
  note_removal(taken, first, last)
end

-- Whether a packed layout of this call lacks the series of a number: it went to `__overflow__`.
function lacks(layout, number_field)
  local key = series_stem .. layout
  if not declared[key] or redis.pcall('HEXISTS', key, number_field) == 1 then
    return false
  end
  local series = string.match(number_field, '^(.*),"[^"]*"%]$') -- without its part
  return redis.pcall('HEXISTS', key, series and series .. ']' or '[]') == 0
end
