-- A part of apply.lua: packed layouts as they stand, and whether what a writer knows of them still holds.

local numbers_stem = string.gsub(KEYS[3], 'families$', 'numbers:')
local series_stem = string.gsub(KEYS[3], 'families$', 'series:')

local packed = {}  -- index in KEYS → the layout as it stands, if it was looked at

local function layout_at(index)
  packed[index] = packed[index] or standing(KEYS[index], KEYS[index + 1], KEYS[index + 2])
  return packed[index]
end

-- Whether what a section of `indexed` knows of its layout still holds: the names go on from the last one that it knows,
-- so its blocks were there, and none went since.
local function is_current(index, first)
  local layout, known = layout_at(index), tonumber(ARGV[first + 1])
  if not layout or layout.generation ~= ARGV[first] then
    return false
  end
  if layout.count == known then
    return layout.digest == ARGV[first + 2]
  end
  local name = redis.pcall('LINDEX', layout.names, known - 1)
  return type(name) == 'string' and string.match(name, '^%x+') == ARGV[first + 2]
end
