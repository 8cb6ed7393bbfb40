-- A part of apply.lua: adding to slots, which are signed and have 64 bits, and carrying from slot to slot.

local MOST_AT_ONCE = 1000
-- A slot of a value beyond this, or below its negative, is carried; what is added at once is below 10^18.
local FULL = 2 ^ 62
local KINDS = { 'plain', 'whole', 'remainder' }
-- What is carried, and how much that is for the slot to the left of a whole or of a remainder.
local CARRIED, LEFT = '4000000000000000000', { whole = '4', remainder = '4000' }

local function increment(numbers, slot, amount)
  local results = redis.pcall('BITFIELD', numbers, 'OVERFLOW', 'FAIL', 'INCRBY', 'i64', '#' .. slot, amount)
  if results.err then
    return results
  end
  return results[1] or { err = 'increment or decrement would overflow' }
end

-- Looks at the result of an increment. It is compared only: a number of Lua lacks the last digits of such a slot.
local function settle(numbers, slot, result, kind)
  check(result, numbers, '#' .. slot)
  if kind == 'plain' or type(result) ~= 'number' or (result <= FULL and result >= -FULL) then
    return
  end
  local sign, back = '', '-'
  if result < 0 then
    sign, back = '-', ''
  end
  local left = increment(numbers, slot - 1, sign .. LEFT[kind])
  if type(left) ~= 'table' then
    increment(numbers, slot, back .. CARRIED)
    if kind == 'remainder' then
      settle(numbers, slot - 1, left, 'whole')
    end
  end
end

-- Adds to slots of one kind: `plain` (a high, a bucket or a count), `whole` or `remainder`. No slot is there twice.
-- `items` has a slot and an amount for each, from `first` to `last`.
local function add_to_slots(numbers, kind, items, first, last)
  for start = first, last, 2 * MOST_AT_ONCE do
    local stop = math.min(start + 2 * MOST_AT_ONCE - 1, last)
    local arguments, n = {}, 0
    for i = start, stop, 2 do
      arguments[n + 1], arguments[n + 2], arguments[n + 3], arguments[n + 4] = 'INCRBY', 'i64', '#' .. items[i], items[i + 1]
      n = n + 4
    end
    local results = redis.pcall('BITFIELD', numbers, 'OVERFLOW', 'FAIL', unpack(arguments))
    for i = start, stop, 2 do
      local result
      if results.err then -- one of the amounts is none; nothing was added
        result = increment(numbers, items[i], items[i + 1])
      else
        result = results[(i - start) / 2 + 1] or { err = 'increment or decrement would overflow' }
      end
      settle(numbers, items[i], result, kind)
    end
  end
end
