-- A part of apply.lua: packed layouts as they stand, and whether what a writer knows of them still holds.

local numbers_stem = string.gsub(KEYS[3], 'families$', 'numbers:')

local packed = {}  -- index in KEYS → the layout as it stands, if it was looked at
local stated = {}  -- index in KEYS → its `@state`, if only that was looked at
local grown = {}  -- index in KEYS → the generation of a layout that has more names than a writer knows that adds by slot

local function layout_at(index)
  if not packed[index] then
    local text = stated[index] or redis.pcall('HGET', KEYS[index + 1], '@state')
    packed[index] = as_stated(KEYS[index], KEYS[index + 1], KEYS[index + 2], text)
  end
  return packed[index]
end

local DIGEST = string.rep('%x', 16)
local KNOWN = '^' .. DIGEST .. ' [1-9]%d* ' .. DIGEST .. '$'

-- Whether the names of a layout go on from the last one that a section of `indexed` knows: its blocks were there, and
-- none went since. Nil if the text says nothing that can be known.
local function goes_on(index, known)
  local generation, count, digest = string.match(known, '^(%x+) (%d+) (%x+)$')
  if not string.find(known, KNOWN) then
    return nil
  end
  local layout = layout_at(index)
  if not layout or layout.generation ~= generation then
    return false
  end
  local name = redis.pcall('LINDEX', layout.names, count - 1)
  grown[index] = generation
  return type(name) == 'string' and string.sub(name, 1, #digest) == digest
end

-- Tells how far the names of layouts go that have more of them than the writer knew; so it need not be looked up again.
function tell_grown()
  for index, generation in pairs(grown) do
    local layout = packed[index]
    if layout and layout.generation == generation then
      note('grown', string.sub(layout.numbers, #numbers_stem + 1) .. ' ' .. end_of(layout))
    end
  end
end

-- The bytes of what a section of `indexed` knows, at least: two digests, a number of one digit, two spaces.
local SHORTEST, SPACE = 35, string.byte(' ')

-- Looks at the sections of `indexed`, and notes in each how many of its slots are plain ones, wholes and remainders. The
-- first result is a section that is not whole, as it does not say what it knows, or has no pairs; nil if all are.
-- The second has notes about the layouts of which what these sections know does not hold: the names do not go on from
-- there, or a key was evicted. Mostly nothing came or went, and `@state` begins with what is known. Whether all keys are
-- there is asked for at once. One layout in turn is looked at as a whole, as somebody may have put something else under
-- a key.
local function outdated_of(sections)
  local outdated, going, keys = {}, {}, {}
  local function add(section)
    outdated[#outdated + 1], outdated[#outdated + 2] = 'stale', string.sub(section[2], #numbers_stem + 1)
  end
  local n = 0
  for i = 1, #sections do
    local section = sections[i]
    if section[1] == 'indexed' then
      local first, index = section[3], section[6]
      local known, plain, wholes = ARGV[first], tonumber(ARGV[first + 1]), tonumber(ARGV[first + 2])
      local remainders = plain and wholes and (section[4] - first - 2) / 2 - plain - wholes
      local least = remainders and math.min(plain, wholes, remainders)
      if not (least and least >= 0 and plain % 1 == 0 and wholes % 1 == 0 and remainders % 1 == 0) then
        return section
      end
      section[7], section[8], section[9] = plain, wholes, remainders
      local text = redis.pcall('HGET', KEYS[index + 1], '@state')
      stated[index] = text
      local length = #known
      local same = length >= SHORTEST and type(text) == 'string' and string.sub(text, 1, #known) == known
      local holds = same and string.byte(text, length + 1) == SPACE or goes_on(index, known)
      if holds then
        going[n + 1], keys[2 * n + 1], keys[2 * n + 2] = section, KEYS[index], KEYS[index + 2]
        n = n + 1
      elseif holds == nil then
        return section
      else
        add(section)
      end
    end
  end
  for i = 1, #keys, MOST_ARGUMENTS do
    local last = math.min(i + MOST_ARGUMENTS - 1, #keys)
    if redis.pcall('EXISTS', unpack(keys, i, last)) ~= last - i + 1 then
      for at = i, last, 2 do
        if redis.pcall('EXISTS', keys[at], keys[at + 1]) ~= 2 then
          add(going[(at + 1) / 2])
        end
      end
    end
  end
  local looked_at = going[seq % #going + 1]
  if looked_at and not layout_at(looked_at[6]) then
    add(looked_at)
  end
  return nil, outdated
end
