-- A part of apply.lua and convert.lua: what texts and replies are, if they are what they should be.

-- A whole number that is not negative; nil or false for any other text.
local function whole(text)
  return text and string.match(text, '^%d+$') and tonumber(text)
end

-- 0 for a reply that is no number, as for a key of another type.
local function number(result)
  return type(result) == 'number' and result or 0
end

-- The same for lists.
local function list(result)
  return type(result) == 'table' and not result.err and result or {}
end
