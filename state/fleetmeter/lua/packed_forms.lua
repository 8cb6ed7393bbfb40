-- A part of apply.lua: whether a section of `named` is whole, looked at before anything is written.

-- Texts of whole numbers that are not negative → the numbers; false for any other text. Few texts are looked at often.
local naturals = setmetatable({}, { __index = function(known, text)
  local found = tonumber(text)
  found = found and found >= 0 and found % 1 == 0 and found or false
  known[text] = found
  return found
end })

local OPEN, CLOSE = string.byte('[]', 1, 2)

-- Whether a section of `named` is whole: all amounts lie in their blocks. Its fields say its `shape`, how many slots the
-- `value` of a block has and its `width`, the `series`, and where the amounts of each start in ARGV.
local function read_named(section, first, last)
  local value, width = slots_of(ARGV[first])
  local count, at = naturals[ARGV[first + 1] or ''], first + 2
  if not (value and count) then
    return false
  end
  local series, starts = {}, {}
  for i = 1, count do
    local amounts = naturals[ARGV[at + 1] or '']
    if not amounts or at + 1 + 2 * amounts > last then
      return false
    end
    if string.byte(ARGV[at]) ~= OPEN or string.byte(ARGV[at], -1) ~= CLOSE or string.find(ARGV[at], '\n', 1, true) then
      return false
    end
    series[i], starts[i] = ARGV[at], at + 1
    for j = at + 2, at + 1 + 2 * amounts, 2 do
      if (naturals[ARGV[j]] or width) >= width then
        return false
      end
    end
    at = at + 2 + 2 * amounts
  end
  section.shape, section.value, section.width, section.series, section.starts = ARGV[first], value, width, series, starts
  return at == last + 1
end
