-- Stores one answer in the cache, ends its making, and makes room: first what has expired, then the oldest.
--
-- KEYS[1] cache:entries (hash: field → `<expiry µs> <entry>`)  KEYS[2] cache:expiry (zset)  KEYS[3] cache:order (zset)
-- KEYS[4] cache:flights (hash: field → `<end µs> <token>` of the caller that makes it)  KEYS[5] cache:leases (zset of ends)
-- ARGV[1] field  ARGV[2] entry  ARGV[3] time to live in µs  ARGV[4] most entries  ARGV[5] the maker's token
-- Reply: { number evicted because they had expired, number evicted for room }.
-- At most 100 of each are removed by one call, so that no call is long; the next one goes on.
-- Cost: O(removed · log of the number of entries).

local ttl, most = tonumber(ARGV[3]), tonumber(ARGV[4])
if #ARGV ~= 5 or not ttl or not most or ttl <= 0 or most < 1 then
  return redis.error_reply('FLEETMETER cache_keep: expected field, entry, time to live, most entries, token')
end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function score(value)
  return string.format('%.0f', value)
end

redis.call('HSET', KEYS[1], ARGV[1], score(now + ttl) .. ' ' .. ARGV[2])
redis.call('ZADD', KEYS[2], score(now + ttl), ARGV[1])
redis.call('ZADD', KEYS[3], score(now), ARGV[1])
if string.match(redis.call('HGET', KEYS[4], ARGV[1]) or '', '^%d+ (.*)$') == ARGV[5] then
  redis.call('HDEL', KEYS[4], ARGV[1])
  redis.call('ZREM', KEYS[5], ARGV[1])
end

local function remove(fields)
  for _, field in ipairs(fields) do
    redis.call('ZREM', KEYS[2], field)
    redis.call('ZREM', KEYS[3], field)
    redis.call('HDEL', KEYS[1], field)
  end
  return tostring(#fields)
end

local expired = remove(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', score(now), 'LIMIT', 0, 100))
local over = math.min(100, redis.call('ZCARD', KEYS[3]) - most)
if over <= 0 then
  return { expired, '0' }
end
return { expired, remove(redis.call('ZRANGE', KEYS[3], 0, over - 1)) }
