-- Makes a writer known: the only call that creates a row, and the epoch if a namespace has none.
--
-- The epoch stands in `writers` and in `retired`. If one of them lacks it, that key was evicted: every row that is
-- missing, or every retired number, may be one that was dropped. So the horizon is put at the latest time that a row
-- may have had. That is not the present: after a failover to a store whose clock is behind, rows have later times.
-- KEYS[1] writers    KEYS[2] writer:<id>    KEYS[3] retired
-- ARGV[1] writer id  ARGV[2] id for a new epoch  ARGV[3] state format
-- ARGV[4] store time of the last answer that renewed the writer's row, µs; 0 for none
-- ARGV[5] ids of the epochs in which it had one, with a space between two
-- ARGV[6..] field and value pairs that say who the writer is
-- Reply: { status, row, batches that the row has given up, token of its batch, epoch, store time in µs }; status is
--   hello    the writer has a row (0 when it is new, its old number and token when it was folded); an empty token is none
--   dropped  its row of this epoch was dropped on purpose, for all that can be known; nothing was written
--   format   the namespace is kept in another state format; nothing was written
-- Cost: O(number of pairs).

local heard = string.match(ARGV[4] or '', '^%d+$')
if not (heard and ARGV[5]) or #ARGV % 2 == 0 then
  return redis.error_reply('FLEETMETER hello: malformed arguments')
end
--@include clock

local writer, format = ARGV[1], ARGV[3]
local time = redis.call('TIME')
local now = string.format('%d%06d', time[1], time[2])

local here, copy = redis.call('HGET', KEYS[1], '@epoch'), redis.call('HGET', KEYS[3], '@epoch')
local epoch = here or copy
if epoch then
  if string.match(epoch, '^%S+ %d+ (%d+)') ~= format then
    return { 'format', '0', '0', '', epoch, now }
  end
  if here ~= copy then
    redis.call('HSET', KEYS[1], '@epoch', epoch)
    local horizon = math.max(tonumber(now), tonumber(redis.call('HGET', KEYS[3], '@clock') or '0'))
    redis.call('HSET', KEYS[3], '@epoch', epoch, '@horizon', string.format('%.0f', horizon))
  end
else
  epoch = ARGV[2] .. ' ' .. now .. ' ' .. format
  redis.call('HSET', KEYS[1], '@epoch', epoch)
  redis.call('HSET', KEYS[3], '@epoch', epoch)
end

local applied, given_up, token = '0', '0', ''
local known = redis.call('HGET', KEYS[1], writer) or redis.call('HGET', KEYS[3], writer)
if not known and string.find(' ' .. ARGV[5] .. ' ', ' ' .. string.match(epoch, '^%S*') .. ' ', 1, true) then
  local horizon = tonumber(redis.call('HGET', KEYS[3], '@horizon') or '0')
  if tonumber(heard) > 0 and tonumber(heard) <= horizon then
    return { 'dropped', '0', '0', '', epoch, now }
  end
end
if known then
  applied, given_up, token = string.match(known, '^(%d+) (%d+) ?%d* ?%S* ?(%S*)')
end
local tail = token == '' and '' or ' ' .. token
redis.call('HSET', KEYS[1], writer, applied .. ' ' .. given_up .. ' ' .. now .. ' alive' .. tail)
if #ARGV > 5 then
  redis.call('HSET', KEYS[2], unpack(ARGV, 6))
end
redis.call('HDEL', KEYS[3], writer)
keep_clock(KEYS[3], now)
return { 'hello', applied, given_up, token, epoch, now }
