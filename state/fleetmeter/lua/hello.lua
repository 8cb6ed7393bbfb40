-- Makes a writer known: the only call that creates a row, and the epoch where a namespace has none.
--
-- KEYS[1] writers    KEYS[2] writer:<id>    KEYS[3] retired
-- ARGV[1] writer id  ARGV[2] id for a new epoch  ARGV[3] state format
-- ARGV[4..] field and value pairs that say who the writer is
-- Reply: { status, row, epoch, store time in µs }; status is
--   hello    the writer has a row (0 when it is new, its old number when it was folded)
--   format   the namespace is kept in another state format; nothing was written
-- Cost: O(number of pairs).

if #ARGV < 3 or #ARGV % 2 == 0 then
  return redis.error_reply('FLEETMETER hello: malformed arguments')
end
local writer, format = ARGV[1], ARGV[3]
local time = redis.call('TIME')
local now = string.format('%d%06d', time[1], time[2])

local epoch = redis.call('HGET', KEYS[1], '@epoch')
if epoch then
  if string.match(epoch, '^%S+ %d+ (%d+)') ~= format then
    return { 'format', '0', epoch, now }
  end
else
  epoch = ARGV[2] .. ' ' .. now .. ' ' .. format
  redis.call('HSET', KEYS[1], '@epoch', epoch)
end

local applied, given_up = '0', '0'
local known = redis.call('HGET', KEYS[1], writer) or redis.call('HGET', KEYS[3], writer)
if known then
  applied, given_up = string.match(known, '^(%d+) (%d+) ')
end
redis.call('HSET', KEYS[1], writer, applied .. ' ' .. given_up .. ' ' .. now .. ' alive')
if #ARGV > 3 then
  redis.call('HSET', KEYS[2], unpack(ARGV, 4))
end
redis.call('HDEL', KEYS[3], writer)
return { 'hello', applied, epoch, now }
