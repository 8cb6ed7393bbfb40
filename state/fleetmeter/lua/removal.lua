-- A part of apply.lua: removals.

-- What the patterns of a section take, as a table: `family`, `parted`; `every` if a pattern fits all; `loose`, the
-- patterns with null; `exact`, the other series as `split` returns them; `labels`, how many a series has.
local function taken_by(first, last)
  local parted = ARGV[first + 2] == 'parts'
  local taken = { family = ARGV[first], parted = parted, every = false, exact = {}, loose = {}, labels = 0 }
  for i = first, last, 3 do
    local pattern = ARGV[i + 1]
    local wanted = cjson.decode(pattern)
    local some, all = false, true
    for at = 1, #wanted do
      local any = wanted[at] == cjson.null
      some, all = some or any, all and any
    end
    taken.every, taken.labels = taken.every or all, #wanted
    if some then
      table.insert(taken.loose, wanted)
    else
      taken.exact[parted and string.sub(pattern, 1, -2) .. ',' or pattern] = true
    end
  end
  return taken
end

-- Whether the series goes that a field is about; `series` is the field as `split` returns it.
local function goes(taken, series, field)
  if taken.every or taken.exact[series] then
    return true
  end
  local ok, values = pcall(cjson.decode, #taken.loose > 0 and field or 'null')
  for _, wanted in ipairs(taken.loose) do
    if ok and fits(values, wanted) then
      return true
    end
  end
  return false
end

-- Drops what stands beside the numbers, and notes the removal. Returns are walked through if a pattern has null, and if
-- something of this layout was removed before.
local function note_removal(taken, first, last)
  local family, parted = taken.family, taken.parted
  local function drop_notes(beside)
    for _, field in ipairs(list(redis.pcall('HKEYS', beside))) do
      local name, number = split_note(field)
      if name == family and goes(taken, (split(number, parted)), number) then
        redis.pcall('HDEL', beside, field)
      end
    end
  end
  drop_notes(KEYS[5])
  if not had_removals(family, 1) then
    redis.pcall('HSET', KEYS[8], family, now)
    any_removed = true
  elseif taken.every or #taken.loose > 0 then
    drop_notes(KEYS[8])
  else
    for series in pairs(taken.exact) do
      redis.pcall('HDEL', KEYS[8], family .. ' ' .. marker_of(series, parted))
    end
  end
  for i = first, last, 3 do
    check(redis.pcall('HSET', KEYS[6], family .. ' ' .. ARGV[i + 1], now), KEYS[6], family)
  end
  gather_notes(KEYS[6], KEYS[3])
end

-- Removes the series that fit any of the patterns, in one walk through the family's numbers and one through the
-- exemplars: a walk for each pattern would keep the store busy for seconds.
local function remove(key, first, last)
  local taken = taken_by(first, last)
  local parted, every = taken.parted, taken.every
  local size = parted and not every and remembered(key, number(redis.pcall('HLEN', key)))
  if every then
    check(redis.pcall('DEL', key), key, taken.family)
  elseif #taken.loose == 0 and not parted then
    for i = first, last, 3 do
      check(redis.pcall('HDEL', key, ARGV[i + 1]), key, ARGV[i + 1])
    end
  else
    local overflow = overflow_of(taken.labels, parted) .. SUM
    for _, field in ipairs(list(redis.pcall('HKEYS', key))) do
      if goes(taken, (split(field, parted)), field) then
        check(redis.pcall('HDEL', key, field), key, field)
        if size and string.sub(field, -#SUM) == SUM and field ~= overflow then
          size = size - 1
        end
      end
    end
  end
  if size then
    remember(key, size)
  else
    redis.pcall('HDEL', KEYS[7], key)
  end
  note_removal(taken, first, last)
end
