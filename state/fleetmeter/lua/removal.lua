-- A part of apply.lua: removals.

-- Removes the series that fit any of the patterns, in one walk through the family's numbers and one through the
-- exemplars: a walk for each pattern would keep the store busy for seconds. Returns are walked through if a pattern
-- has null, and if this family has any.
local function remove(key, first, last)
  local family, parted = ARGV[first], ARGV[first + 2] == 'parts'
  local every, exact, loose, labels = false, {}, {}, 0
  for i = first, last, 3 do
    local pattern = ARGV[i + 1]
    local wanted = cjson.decode(pattern)
    local some, all = false, true
    for at = 1, #wanted do
      local any = wanted[at] == cjson.null
      some, all = some or any, all and any
    end
    every, labels = every or all, #wanted
    if some then
      loose[#loose + 1] = wanted
    else
      exact[parted and string.sub(pattern, 1, -2) .. ',' or pattern] = true
    end
  end
  local function gone(field)
    if every or exact[(split(field, parted))] then
      return true
    end
    local ok, values = pcall(cjson.decode, #loose > 0 and field or 'null')
    for _, wanted in ipairs(loose) do
      if ok and fits(values, wanted) then
        return true
      end
    end
    return false
  end
  local size = parted and not every and remembered(key, number(redis.pcall('HLEN', key)))
  if every then
    check(redis.pcall('DEL', key), key, family)
  elseif #loose == 0 and not parted then
    for i = first, last, 3 do
      check(redis.pcall('HDEL', key, ARGV[i + 1]), key, ARGV[i + 1])
    end
  else
    local overflow = overflow_of(labels, parted) .. SUM
    for _, field in ipairs(list(redis.pcall('HKEYS', key))) do
      if gone(field) then
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
  local function drop_notes(beside)
    for _, field in ipairs(list(redis.pcall('HKEYS', beside))) do
      local name, series = split_note(field)
      if name == family and gone(series) then
        redis.pcall('HDEL', beside, field)
      end
    end
  end
  drop_notes(KEYS[5])
  if not had_removals(key) then
    redis.pcall('HSET', KEYS[8], family, now)
    any_removed = true
  elseif every or #loose > 0 then
    drop_notes(KEYS[8])
  else
    for series in pairs(exact) do
      redis.pcall('HDEL', KEYS[8], family .. ' ' .. marker_of(series, parted))
    end
  end
  for i = first, last, 3 do
    check(redis.pcall('HSET', KEYS[6], family .. ' ' .. ARGV[i + 1], now), KEYS[6], family)
  end
  gather_notes(KEYS[6], KEYS[3])
end
