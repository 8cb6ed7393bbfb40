-- Adds one batch of a writer to the fleet's numbers, once: a compare-and-set on the writer's row.
--
-- KEYS[1] writers  KEYS[2] retired  KEYS[3..] every other key that the body touches
-- ARGV[1] epoch id  ARGV[2] writer id  ARGV[3] prev  ARGV[4] seq  ARGV[5] batches given up
-- ARGV[6..] the body: sections of { operation, index into KEYS, number of items, items … }, in this order of effect:
--   define  item = field, definition     HSET `<first µs> <defined µs> <definition>`, both times kept where it is the same
--   remove  item = field                 HDEL
--   set     item = field, value          HSET
--   gauge   item = series, value         HSET `<writer> <series>`
--   add     item = field, amount         HINCRBY, or HINCRBYFLOAT where that is refused
-- The body holds the sum of the writer's batches after prev up to seq.
-- Reply: { status, row, epoch, store time in µs, number of refused items, up to 10 of them as `key field: error` …};
-- status is
--   applied  row was prev: everything is in, row is seq now
--   already  row is seq or above: it was in before, nothing changed
--   behind   row is neither: nothing changed
--   unknown  the writer has no row, nothing changed (it must say hello)
--   epoch    the namespace has another epoch, or none; nothing changed
-- The row is written first, by `call`: out of memory, read-only and the like stop the script with nothing written.
-- Each number follows by `pcall`, so that none can block a writer.
-- Cost: O(number of items).

local function whole(text)
  return text and string.match(text, '^%d+$') and tonumber(text)
end
local prev, seq, given_up = whole(ARGV[3]), whole(ARGV[4]), whole(ARGV[5])
local width = { define = 2, remove = 1, set = 2, gauge = 2, add = 2 }

local function malformed(what)
  return redis.error_reply('FLEETMETER apply: malformed ' .. what)
end

if not (prev and seq and given_up) or seq < prev then
  return malformed('numbers')
end
local sections, at = {}, 6
while at <= #ARGV do
  local operation, index, count = ARGV[at], whole(ARGV[at + 1]) or 0, whole(ARGV[at + 2])
  local items, key = width[operation], index > 2 and KEYS[index]
  if not (items and key and count) then
    return malformed('section at ' .. at)
  end
  local last = at + 2 + count * items
  if last > #ARGV then
    return malformed('length of the section at ' .. at)
  end
  sections[#sections + 1] = { operation, key, at + 3, last }
  at = last + 1
end

local writer = ARGV[2]
local time = redis.call('TIME')
local now = string.format('%d%06d', time[1], time[2])
local epoch = redis.call('HGET', KEYS[1], '@epoch') or ''
if string.match(epoch, '^%S*') ~= ARGV[1] then
  return { 'epoch', '0', epoch, now, '0' }
end
local row = redis.call('HGET', KEYS[1], writer)
local folded = not row and redis.call('HGET', KEYS[2], writer)
local applied = string.match(row or folded or '', '^(%d+)')
if not applied then
  return { 'unknown', '0', epoch, now, '0' }
end
if tonumber(applied) ~= prev then
  local status = tonumber(applied) >= seq and 'already' or 'behind'
  return { status, applied, epoch, now, '0' }
end

redis.call('HSET', KEYS[1], writer, ARGV[4] .. ' ' .. ARGV[5] .. ' ' .. now .. ' alive')
if folded then
  redis.call('HDEL', KEYS[2], writer)
end

local refused, total = {}, 0
local function check(result, key, field)
  if type(result) == 'table' and result.err then
    total = total + 1
    if #refused < 10 then
      refused[#refused + 1] = key .. ' ' .. field .. ': ' .. result.err
    end
  end
end

local run = {
  define = function(key, field, definition)
    local old = redis.pcall('HGET', key, field)
    local first, defined = now, now
    if type(old) == 'string' then
      local was_first, was_defined, was = string.match(old, '^(%d+) (%d+) (.*)$')
      first = was_first or now
      defined = was == definition and was_defined or now
    end
    check(redis.pcall('HSET', key, field, first .. ' ' .. defined .. ' ' .. definition), key, field)
  end,
  remove = function(key, field)
    check(redis.pcall('HDEL', key, field), key, field)
  end,
  set = function(key, field, value)
    check(redis.pcall('HSET', key, field, value), key, field)
  end,
  gauge = function(key, series, value)
    check(redis.pcall('HSET', key, writer .. ' ' .. series, value), key, series)
  end,
  add = function(key, field, amount)
    local result = redis.pcall('HINCRBY', key, field, amount)
    if type(result) == 'table' then
      check(redis.pcall('HINCRBYFLOAT', key, field, amount), key, field)
    end
  end,
}
for _, section in ipairs(sections) do
  local operation, key = section[1], section[2]
  local step, act = width[operation], run[operation]
  for i = section[3], section[4], step do
    act(key, ARGV[i], ARGV[i + 1])
  end
end
return { 'applied', ARGV[4], epoch, now, tostring(total), unpack(refused) }
