-- A part of apply.lua: whether sections of packed layouts are whole, looked at before anything is written.

-- Whether a section of `indexed` has the length that it says, in ARGV from `first` to `last`.
local function is_indexed(first, last)
  local count, length = whole(ARGV[first + 1]), last - first - 5
  for i = 3, 5 do
    local number = whole(ARGV[first + i])
    length = number and length - 4 * number or -1
  end
  return length == 0 and (count or 0) > 0
end

-- The same for a section of `named`, whose amounts all lie in their blocks.
local function is_named(first, last)
  local value, slots = slots_of(ARGV[first])
  local count, at = whole(ARGV[first + 1]), first + 2
  if not (value and count) then
    return false
  end
  for _ = 1, count do
    local amounts = whole(ARGV[at + 1])
    if not amounts or string.sub(ARGV[at], 1, 1) ~= '[' or at + 1 + 2 * amounts > last then
      return false
    end
    for i = at + 2, at + 1 + 2 * amounts, 2 do
      if (whole(ARGV[i]) or slots) >= slots then
        return false
      end
    end
    at = at + 2 + 2 * amounts
  end
  return at == last + 1
end

local form_of = { indexed = is_indexed, named = is_named }
