-- Begins a namespace anew: deletes its numbers and its writers, and gives it another epoch, marked as deliberate.
--
-- KEYS[1] writers  KEYS[2] retired  KEYS[3] families  KEYS[4] gauges  KEYS[5] exemplars  KEYS[6] removed  KEYS[7] sizes
-- KEYS[8] returned
-- KEYS[9..] of each layout, in the order of ARGV, the hash of its numbers, and the numbers, series and names that it has
--   if it is packed; then every other key to delete: each writer:<id>
-- ARGV[1] id of the epoch that the caller read, empty for none  ARGV[2] id of the new one  ARGV[3] state format
-- ARGV[4..] the layouts: fields of `families` and of `removed`
-- Reply: { status, layouts, numbers, gauges, exemplars, writers }, how many of each there were; status is
--   reset    done; `@epoch`, in both its places, is `<new id> <store time in µs> <state format> reset`
--   changed  the epoch is another one than the caller read: nothing changed
--   retry    `families` or `removed` names a layout that was not passed: nothing changed
-- What the gateway keeps beside (cache, API keys, rates, budgets, circuit breakers) stays.
-- Deletions come first: the store allows them while its memory is full, and then also allows the writes that follow in
-- the same script.
-- Cost: O(layouts + writers + series of packed layouts); the numbers are freed in the background.

local FIXED, EACH = 8, 4
if #ARGV < 3 or #KEYS < FIXED + EACH * (#ARGV - 3) or ARGV[2] == '' or ARGV[2] == ARGV[1] then
  return redis.error_reply('FLEETMETER reset: malformed arguments')
end
local time = redis.call('TIME')
local now = string.format('%d%06d', time[1], time[2])
local epoch = redis.pcall('HGET', KEYS[1], '@epoch')
epoch = type(epoch) == 'string' and string.match(epoch, '^%S*') or ''
if epoch ~= ARGV[1] then
  return { 'changed', '0', '0', '0', '0', '0' }
end

--@include notes
--@include stated
--@include blocks

local function fields(key)
  local found = redis.pcall('HKEYS', key)
  return found.err and {} or found
end
local passed = {}
for i = 4, #ARGV do
  passed[ARGV[i]] = true
end
local layouts = fields(KEYS[3])
for _, field in ipairs(layouts) do
  if not passed[field] then
    return { 'retry', '0', '0', '0', '0', '0' }
  end
end
for _, note in ipairs(fields(KEYS[6])) do
  if not passed[split_note(note) or note] then
    return { 'retry', '0', '0', '0', '0', '0' }
  end
end

local function count(key)
  local size = redis.pcall('HLEN', key)
  return type(size) == 'number' and size or 0
end
local numbers, writers = 0, 0
for i = FIXED + 1, FIXED + EACH * (#ARGV - 3), EACH do
  local packed = standing(KEYS[i + 1], KEYS[i + 2], KEYS[i + 3])
  numbers = numbers + count(KEYS[i]) + (packed and numbers_of(packed) or 0)
end
for _, field in ipairs(fields(KEYS[1])) do
  if string.sub(field, 1, 1) ~= '@' then
    writers = writers + 1
  end
end
local reply = { 'reset', #layouts, numbers, count(KEYS[4]), count(KEYS[5]), writers }
for i = 2, #reply do
  reply[i] = tostring(reply[i])
end
for i = 1, #KEYS, 1000 do
  redis.call('UNLINK', unpack(KEYS, i, math.min(i + 999, #KEYS)))
end
for i = 1, 2 do
  redis.call('HSET', KEYS[i], '@epoch', ARGV[2] .. ' ' .. now .. ' ' .. ARGV[3] .. ' reset')
end
return reply
