-- A part of apply.lua: adding to slots, which are signed and have 64 bits, and carrying from slot to slot.

local MOST_AT_ONCE = 1000
-- A slot of a value beyond this, or below its negative, is carried; what is added at once is below 10^18.
local FULL = 2 ^ 62
-- What is carried, and how much that is for the slot to the left of a whole or of a remainder.
local CARRIED, LEFT = '4000000000000000000', { whole = '4', remainder = '4000' }

local FAILED = { err = 'increment or decrement would overflow' }

local function increment(numbers, slot, amount)
  local results = redis.pcall('BITFIELD', numbers, 'OVERFLOW', 'FAIL', 'INCRBY', 'i64', '#' .. slot, amount)
  if results.err then
    return results
  end
  return results[1] or FAILED
end

-- Carries from a slot that is full. Its content is compared only: a number of Lua lacks the last digits of such a slot.
local function carry(numbers, slot, content, kind)
  local sign, back = '', '-'
  if content < 0 then
    sign, back = '-', ''
  end
  local left = increment(numbers, slot - 1, sign .. LEFT[kind])
  if type(left) == 'number' then
    increment(numbers, slot, back .. CARRIED)
    if kind == 'remainder' and (left > FULL or left < -FULL) then
      carry(numbers, slot - 1, left, 'whole')
    end
  end
end

-- The operations of one command. They are one table for all, in which only slots and amounts change.
local operations, prepared = {}, 0

local function operations_of(items, start, count)
  for i = prepared + 1, count do
    local n = 4 * i
    operations[n - 3], operations[n - 2], operations[n - 1], operations[n] = 'INCRBY', 'i64', '', ''
    prepared = i
  end
  local from = start
  for n = 3, 4 * count, 4 do
    operations[n], operations[n + 1] = items[from], items[from + 1]
    from = from + 2
  end
  return unpack(operations, 1, 4 * count)
end

-- Adds to slots, none of which is there twice. `items` has two texts for each: `#<slot>` and the amount. The first one
-- begins at `first`. So many plain slots come first (highs, buckets, counts), then so many wholes, then remainders.
function add_to_slots(numbers, items, first, plain, wholes, remainders)
  local every = plain + wholes + remainders
  for done = 0, every - 1, MOST_AT_ONCE do
    local start, count = first + 2 * done, math.min(MOST_AT_ONCE, every - done)
    local results = redis.pcall('BITFIELD', numbers, 'OVERFLOW', 'FAIL', operations_of(items, start, count))
    local values = plain - done
    for i = 1, count do
      local result = results[i]
      if not result then -- one of the amounts is none, so that nothing was added, or a slot is full
        local slot = string.sub(items[start + 2 * i - 2], 2)
        local alone = results.err and increment(numbers, slot, items[start + 2 * i - 1]) or FAILED
        check(alone, numbers, '#' .. slot)
        result = tonumber(alone) or 0
      end
      if i > values and (result > FULL or result < -FULL) then
        local kind = i > values + wholes and 'remainder' or 'whole'
        carry(numbers, string.sub(items[start + 2 * i - 2], 2), result, kind)
      end
    end
  end
end
