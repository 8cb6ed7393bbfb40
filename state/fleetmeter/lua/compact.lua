-- Gives back the room that removed series left in a packed layout: one compaction, of the first layout that is worth it.
--
-- KEYS[1] writers  KEYS[2..] of each layout its numbers, series and names, one after the other
-- ARGV[1] epoch id  ARGV[2] a random text  ARGV[3] bytes that must be won, at least
-- ARGV[4] how many dead slots there must be for each living one, or spare names for each living series, at least
-- ARGV[5] living series that a layout may have, at most: the store does nothing else meanwhile
-- The living blocks are copied, byte for byte, into a new string without gaps, those of one shape together. The names and
-- the index are written anew: the first name holds the random text and the digest of the names before, so that the
-- generation is one that never was. What writers know of blocks is stale by that, and readers read all names.
-- A layout without living series is deleted. Which series there are, and what they hold, stays the same.
-- All is worked out before the first write. That is a deletion: the store allows it while its memory is full, and then
-- also allows the writes that follow in the same script.
-- A layout is left alone if its keys do not fit together. It is judged here, so that a second copy of a call, or a late
-- one, finds nothing to do.
-- Reply: { status, number of the layout, slots before and after, names before and after }; status is
--   compacted  done; the next call may begin behind that layout, the first being 1
--   nothing    no layout is worth it; nothing changed
--   epoch      the namespace has another epoch, or none; nothing changed
-- Cost: O(layouts) to find one; O(its names + its slots + its series) to compact it.

-- What a name of a few bytes takes in the store.
local NAME = 32

--@include replies
local random, least, share, most = ARGV[2], whole(ARGV[3]), whole(ARGV[4]), whole(ARGV[5])
if #KEYS < 4 or #KEYS % 3 ~= 1 or #ARGV ~= 5 or not (least and share and most) or string.find(random, '%s') then
  return redis.error_reply('FLEETMETER compact: malformed arguments')
end
if string.match(redis.call('HGET', KEYS[1], '@epoch') or '', '^%S*') ~= ARGV[1] then
  return { 'epoch', '0', '0', '0', '0', '0' }
end

--@include stated
--@include blocks

-- Whether so much is dead that moving the rest costs no more than what made it so: at most as much is moved as was
-- removed, or came one by one, since the last compaction. A layout needs `needed` names, or fewer.
local function is_worth_it(layout)
  local needed = 1 + layout.shapes * (2 + layout.size / MOST_BORN)
  local spare = math.max(0, layout.count - needed)
  if layout.size > most or 8 * layout.dead + NAME * spare < least then
    return false
  end
  return layout.dead >= share * (layout.slots - layout.dead) or spare >= share * layout.size
end

local CAME, DEAD, SHAPE, BEGINNING = string.byte('cdsg', 1, 4)

-- The shapes of a layout by their numbers from 1 on: the `text`, the `width` of a block, and of each living block the
-- series, where it begins, and what it begins and ends with of the living one before it, at least, if that is known.
-- nil if the names say something else than `@state`.
local function read_names(layout)
  local byte, sub, min = string.byte, string.sub, math.min
  local entries, shapes, gone = redis.call('LRANGE', layout.names, 0, -1), {}, {}
  for _, entry in ipairs(entries) do -- a digest of 16 characters, a space, the kind, a space and the rest
    if byte(entry, 18) == DEAD then
      gone[tonumber(sub(entry, 20)) or -1] = true
    end
  end
  local at, dead = 0, 0
  for _, entry in ipairs(entries) do
    local kind = byte(entry, 18)
    if kind == CAME then
      local slot, number, line = string.match(entry, '^(%d+) (%d+) ()', 20)
      local shape = shapes[(number or -1) + 1]
      if not shape or tonumber(slot) ~= at then
        return nil
      end
      local width, series, starts, n = shape.width, shape.series, shape.starts, #shape.starts
      local came, firsts, lasts = series_in(sub(entry, line))
      local first, last -- of the series here and of those before it that went
      for i = 1, #came do
        first, last = min(first or 255, firsts[i] or -1), min(last or 255, lasts[i] or -1)
        if gone[at] then
          dead = dead + width
        else
          n = n + 1
          series[n], starts[n] = came[i], at
          shape.firsts[n], shape.lasts[n] = first >= 0 and first or nil, last
          first, last = nil, nil
        end
        at = at + width
      end
    elseif kind == SHAPE then
      local text = sub(entry, 20)
      local _, width = slots_of(text)
      local shape = { text = text, width = width, series = {}, starts = {}, firsts = {}, lasts = {} }
      shapes[#shapes + 1] = width and shape or nil
    elseif kind ~= DEAD and kind ~= BEGINNING then
      return nil
    end
  end
  if at == layout.slots and dead == layout.dead and #shapes == layout.shapes then
    return shapes
  end
end

-- Puts the living blocks of a shape behind what the new layout has. `moved` is told where each block begins now, by where
-- it began, and `pieces` get the bytes of the blocks.
local function move(shape, fresh, data, moved, pieces)
  local width, starts, start = shape.width, shape.starts, fresh.slots
  chain(fresh, 's ' .. shape.text)
  chain_born(fresh, fresh.shapes, width, shape.series, shape.firsts, shape.lasts)
  local first, behind = starts[1], starts[1]
  for i = 1, #starts do
    local old = starts[i]
    if old ~= behind then
      pieces[#pieces + 1] = string.sub(data, 8 * first + 1, 8 * behind)
      first = old
    end
    behind = old + width
    moved[old], start = start, start + width
  end
  pieces[#pieces + 1] = string.sub(data, 8 * first + 1, 8 * behind)
  fresh.slots, fresh.shapes = start, fresh.shapes + 1
end

-- A layout as it is to be, its numbers, and pairs for its index; nil if its keys do not fit together.
local function compacted(layout)
  local shapes = read_names(layout)
  if not shapes then
    return nil
  end
  local fresh, data = blank(layout.numbers, layout.series, layout.names), redis.call('GET', layout.numbers)
  chain(fresh, 'g ' .. random .. ' ' .. layout.digest)
  fresh.generation, fresh.size = fresh.digest, layout.size
  local moved, pieces, renumbered, entered, blocks = {}, {}, {}, {}, 0
  for i, shape in ipairs(shapes) do
    if #shape.starts > 0 then
      local n = #entered
      renumbered[tostring(i - 1)] = ':' .. fresh.shapes .. ':'
      entered[n + 1], entered[n + 2] = '@shape ' .. shape.text, fresh.shapes
      blocks = blocks + #shape.starts
      move(shape, fresh, data, moved, pieces)
    end
  end
  local function moved_entry(shape, slot)
    return renumbered[shape] .. moved[tonumber(slot)] .. ';'
  end
  local index = redis.call('HGETALL', layout.series)
  for i = 1, #index, 2 do
    if string.sub(index[i], 1, 1) ~= '@' then
      local n, ok, count = #entered, nil, nil
      entered[n + 1] = index[i]
      ok, entered[n + 2], count = pcall(string.gsub, index[i + 1], ':(%d+):(%d+);', moved_entry)
      blocks = ok and blocks - count or -1
    end
  end
  if blocks == 0 then
    return fresh, table.concat(pieces), entered
  end
end

for at = 2, #KEYS, 3 do
  local layout = standing(KEYS[at], KEYS[at + 1], KEYS[at + 2])
  if layout and is_worth_it(layout) then
    local fresh, numbers, index = compacted(layout)
    if fresh then
      redis.call('DEL', fresh.numbers, fresh.series, fresh.names)
      if fresh.slots > 0 then
        local spare = 8 * room_for(fresh.slots) - #numbers
        redis.call('SETRANGE', fresh.numbers, 0, numbers .. string.rep('\0', spare))
        in_parts('HSET', fresh.series, index)
        keep(fresh)
      else
        fresh.count = 0
      end
      local reply = { (at + 1) / 3, layout.slots, fresh.slots, layout.count, fresh.count }
      for i = 1, #reply do
        reply[i] = tostring(reply[i])
      end
      return { 'compacted', unpack(reply) }
    end
  end
end
return { 'nothing', '0', '0', '0', '0', '0' }
