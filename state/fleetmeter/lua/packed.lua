-- A part of apply.lua and convert.lua: adding to packed layouts by name, and removing from them.

local series_stem = string.gsub(KEYS[3], 'families$', 'series:')

-- Begins a layout, and drops what is left of one that was evicted in part.
local function begin(index)
  local layout = blank(KEYS[index], KEYS[index + 1], KEYS[index + 2])
  redis.pcall('DEL', layout.numbers, layout.series, layout.names)
  chain(layout, 'g ' .. now .. ' ' .. writer .. ' ' .. token)
  layout.generation = layout.digest
  keep(layout)
  packed[index] = layout
  return layout
end

-- The slot of a block as the index has it, a text; nil if there is none. `kind` is `:<shape's number>:`.
local function slot_in(text, key, kind)
  local _, last = string.find(text, key .. kind, 1, true)
  return last and string.match(text, '^%d+', last + 1)
end

local function slot_of(layout, series, kind)
  local fields, keys = look_up(layout, { series })
  return slot_in(layout.index[fields[1]], keys[1], kind)
end

-- Which series get a block of a shape, out of a list with the places of those that have none: all, or if the layout has
-- no room for so many, those that have a block of another shape, and others while there is room. If some get none, the
-- series for them comes second; it is among the first if it has no block yet, unless each has its `own` or none.
local function admitted(layout, series, missing, fields, keys, kind, own)
  local born, labels = {}, layout.size + #missing > limit and labels_of(series[1]) or 0
  if labels == 0 then
    for n, i in ipairs(missing) do
      born[n] = series[i]
    end
    return born
  end
  local overflow, index = overflow_of(labels), layout.index
  local its_fields, its_keys = look_up(layout, { overflow })
  local known = string.find(index[its_fields[1]], its_keys[1], 1, true)
  local size, asked = layout.size - (known and 1 or 0), false
  for _, i in ipairs(missing) do
    asked = asked or series[i] == overflow
    local counted = series[i] == overflow or string.find(index[fields[i]], keys[i], 1, true)
    if counted or size < limit then
      born[#born + 1] = series[i]
      size = size + (counted and 0 or 1)
    end
  end
  if #born == #missing then
    return born
  end
  if not (own or asked or slot_in(index[its_fields[1]], its_keys[1], kind)) then
    born[#born + 1] = overflow
  end
  return born, overflow
end

-- Bytes up to which a string is written in one piece. The store gives a string that grows its length once more, but
-- never more than 1 MiB: beyond this that is less than an eighth.
local LONG = 2 ^ 23

-- Makes the string of a layout long enough for so many slots in use, and then writes it in one piece, which takes no more
-- room than its length. Returns the error of a string that may not be so long: nothing changed then.
local function make_room(layout, slots)
  local length = 8 * room_for(slots)
  if length == 8 * room_for(layout.slots) then
    return nil
  end
  local grown = redis.pcall('SETRANGE', layout.numbers, length - 1, '\0')
  if type(grown) == 'table' then
    return grown
  end
  local whole = layout.slots > 0 and length <= LONG and redis.pcall('GET', layout.numbers)
  if type(whole) == 'string' and #whole == length then
    redis.pcall('DEL', layout.numbers)
    redis.pcall('SETRANGE', layout.numbers, 0, whole)
  end
end

-- Makes blocks of a shape, one behind the other, for series that have none; in the order of their texts, as neighbours
-- that are alike take less room in the names. Returns which of these are new to the layout; or nil and the error of a
-- string that has no room.
local function bear(layout, shape, number, width, series)
  local first, index = layout.slots, layout.index
  local problem = make_room(layout, first + #series * width)
  if problem then
    return nil, problem
  end
  if number == layout.shapes then
    chain(layout, 's ' .. shape)
    redis.pcall('HSET', layout.series, '@shape ' .. shape, number)
    layout.shapes = layout.shapes + 1
  end
  table.sort(series)
  chain_born(layout, number, width, series)
  local fields, keys = look_up(layout, series)
  local new, written, entered = {}, {}, {}
  for i, field in ipairs(fields) do
    if not string.find(index[field], keys[i], 1, true) then
      new[#new + 1] = series[i]
    end
    index[field] = index[field] .. keys[i] .. ':' .. number .. ':' .. first + (i - 1) * width .. ';'
    written[field] = true
  end
  for field in pairs(written) do
    entered[#entered + 1], entered[#entered + 2] = field, index[field]
  end
  in_parts('HSET', layout.series, entered)
  layout.slots, layout.size = first + #series * width, layout.size + #new
  keep(layout)
  return new
end

-- Gives blocks of a shape to series that have none, within what the layout may hold. `series` is a list, and the slots
-- that it returns have the same order; `false` is that of a series that goes to `__overflow__`, whose slot is returned,
-- too, if there is one. How many series did so comes last. With `own`, nothing is shared: those just have no block.
local function place(layout, field, shape, width, parted, series, own)
  local found = redis.pcall('HGET', layout.series, '@shape ' .. shape)
  local number = type(found) == 'string' and tonumber(found) or layout.shapes
  local kind = ':' .. number .. ':'
  local fields, keys = look_up(layout, series)
  local index, slots, missing = layout.index, {}, {}
  for i = 1, #series do
    slots[i] = slot_in(index[fields[i]], keys[i], kind) or false
    if not slots[i] then
      missing[#missing + 1] = i
    end
  end
  if #missing == 0 then
    return slots, nil, 0
  end
  local born, overflow = admitted(layout, series, missing, fields, keys, kind, own)
  local new, problem = {}, nil
  if #born > 0 then
    new, problem = bear(layout, shape, number, width, born)
  end
  local overflowed = 0
  for _, i in ipairs(missing) do
    if problem then
      check(problem, layout.numbers, series[i])
    else
      slots[i] = slot_in(index[fields[i]], keys[i], kind) or false
      overflowed = overflowed + (slots[i] and 0 or 1)
    end
  end
  if new and new[1] and had_removals(field, 1) then
    for _, name in ipairs(new) do
      came(field, parted and string.sub(name, 1, -2) .. (name == '[]' and '' or ',') .. SUM or name)
    end
  end
  return slots, overflowed > 0 and slot_of(layout, overflow, kind) or nil, overflowed
end

-- Adds the amounts of some of a section's series to their blocks, none of which is there twice. `slots` has where each
-- begins, or `shared` if that is false; there may be none, if the layout has no room.
local function add_blocks(layout, section, slots, shared, from, to)
  local value, starts = section.value, section.starts
  local items, values, remainders = {}, {}, {} -- plain slots are the first items
  for i = from, to do
    local slot, start = slots[i] or shared, starts[i]
    for j = start + 1, slot and start + 2 * naturals[ARGV[start]] or 0, 2 do
      local offset, kind = naturals[ARGV[j]], items
      if offset == 1 then
        kind = values
      elseif offset == 2 and value == 3 then
        kind = remainders
      end
      local n = #kind
      kind[n + 1], kind[n + 2] = '#' .. slot + offset, ARGV[j + 1]
    end
  end
  local plain, wholes = #items / 2, #values / 2
  items = plain > 0 and items or values
  for _, kind in ipairs({ values, remainders }) do
    for j = 1, kind ~= items and #kind or 0 do
      items[#items + 1] = kind[j]
    end
  end
  add_to_slots(layout.numbers, items, 1, plain, wholes, #remainders / 2)
end

function add_named(index, section)
  local layout = layout_at(index) or begin(index)
  local series, field = section.series, string.sub(layout.numbers, #numbers_stem + 1)
  local parted = section.shape ~= section.value .. ' [""]'
  local slots, shared, overflowed = place(layout, field, section.shape, section.width, parted, series)
  if overflowed == 0 then
    add_blocks(layout, section, slots, shared, 1, #series)
  else -- one by one: several have the same block
    for i = 1, #series do
      add_blocks(layout, section, slots, shared, i, i)
    end
    note('overflow', overflowed .. ' ' .. layout.numbers)
  end
  local told = { field, end_of(layout) }
  for i = 1, #series do
    told[i + 2] = slots[i] or '-'
  end
  note('learned', table.concat(told, ' '))
end

-- Removes series of a packed layout; see `remove`.
function remove_packed(index, first, last)
  local taken, layout = taken_by(first, last), layout_at(index)
  if taken.every or not layout then
    redis.pcall('DEL', KEYS[index], KEYS[index + 1], KEYS[index + 2])
    packed[index], stated[index] = nil, ''
  elseif #taken.loose > 0 then
    drop_series(layout, function(series)
      return goes(taken, taken.parted and string.sub(series, 1, -2) .. ',' or series, series)
    end)
  else
    local series = {}
    for i = first, last, 3 do
      series[#series + 1] = ARGV[i + 1]
    end
    drop_blocks(layout, series)
  end
  note_removal(taken, first, last)
end

-- Whether a packed layout of this call lacks the series of a number: it went to `__overflow__`.
function lacks(layout, number_field)
  local at = place_of(series_stem .. layout)
  if not at then
    return false
  end
  local its = packed[at - 1] or { series = KEYS[at], index = {} }
  local series = string.match(number_field, '^(.*),"[^"]*"%]$') -- without its part
  local fields, keys = look_up(its, { number_field, series and series .. ']' or '[]' })
  return not (string.find(its.index[fields[1]], keys[1], 1, true) or string.find(its.index[fields[2]], keys[2], 1, true))
end
