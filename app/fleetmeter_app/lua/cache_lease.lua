-- Gives the maker of an answer more time, or ends its making without an answer.
--
-- KEYS[1] cache:flights (hash: field → `<end µs> <token>` of the caller that makes it)  KEYS[2] cache:leases (zset of ends)
-- ARGV[1] field  ARGV[2] the maker's token  ARGV[3] µs from now on; 0 ends it
-- Reply: 1 if the caller was the maker, 0 if somebody else is, or nobody; nothing is changed then.
-- Cost: O(log of the number of leases).

local lease = tonumber(ARGV[3])
if #ARGV ~= 3 or not lease then
  return redis.error_reply('FLEETMETER cache_lease: expected field, token, lease')
end
if string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '', '^%d+ (.*)$') ~= ARGV[2] then
  return 0
end
if lease > 0 then
  local time = redis.call('TIME')
  local ending = string.format('%.0f', time[1] * 1000000 + time[2] + lease)
  redis.call('HSET', KEYS[1], ARGV[1], ending .. ' ' .. ARGV[2])
  redis.call('ZADD', KEYS[2], ending, ARGV[1])
else
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
end
return 1
