-- A part of apply.lua, forget.lua and reset.lua: what a field beside the numbers is about, and how many notes stand.

-- A layout, and the number, series or pattern that stands behind it in a field; nil if nothing does.
-- A family's name may hold spaces; a layout does not.
local function split_note(text)
  return string.match(text, '^(.-:[^: ]+) (%[.*)$')
end

-- Whether label values, perhaps with a part behind them, fit a pattern: null in it fits any value.
local function fits(values, wanted)
  if type(values) ~= 'table' then
    return false
  end
  for i = 1, #wanted do
    if wanted[i] ~= cjson.null and wanted[i] ~= values[i] then
      return false
    end
  end
  return true
end

-- Notes of removals that stand one by one, at most.
local MOST_NOTES = 1000
-- In the place of a pattern: series of the layout were removed until that time, and nobody knows which.
local SOMETHING = '[[]]'

-- Keeps `removed` small, however often something is removed: if there are too many notes, the newest half of what may
-- stand is kept, and the older ones become one per layout, with the latest of their times.
-- Cost: O(notes) once in MOST_NOTES / 2 removals, O(1) else.
local function gather_notes(removed, families)
  local count, layouts = redis.pcall('HLEN', removed), redis.pcall('HLEN', families)
  if type(count) ~= 'number' or type(layouts) ~= 'number' or count <= MOST_NOTES + 2 * layouts then
    return
  end
  local stored, single = redis.pcall('HGETALL', removed), {}
  for i = 1, #stored, 2 do
    local layout, pattern = split_note(stored[i])
    local time = tonumber(string.match(stored[i + 1], '^%d+$') or '')
    if layout and time and pattern ~= SOMETHING then
      single[#single + 1] = { time, stored[i], layout, stored[i + 1] }
    end
  end
  table.sort(single, function(a, b) return a[1] < b[1] end)
  local latest = {}
  for i = 1, #single - MOST_NOTES / 2 do
    local _, field, layout, time = unpack(single[i])
    latest[layout] = time
    redis.pcall('HDEL', removed, field)
  end
  for layout, time in pairs(latest) do
    local field = layout .. ' ' .. SOMETHING
    local before = redis.pcall('HGET', removed, field)
    if type(before) ~= 'string' or (tonumber(before) or 0) < tonumber(time) then
      redis.pcall('HSET', removed, field, time)
    end
  end
end
