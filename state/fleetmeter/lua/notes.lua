-- A part of apply.lua, forget.lua and reset.lua: what a field beside the numbers is about.

-- A layout, and the number, series or pattern that stands behind it in a field; nil where nothing does.
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
