-- Stores one answer in the prompt cache, and makes room: first what has expired, then the oldest.
--
-- KEYS[1] cache:entries (hash: digest → `<expiry µs> <entry>`)  KEYS[2] cache:expiry (zset)  KEYS[3] cache:order (zset)
-- ARGV[1] digest  ARGV[2] entry  ARGV[3] time to live in µs  ARGV[4] most entries
-- Reply: { number evicted because they had expired, number evicted for room }.
-- At most 100 of each are removed by one call, so that no call is long; the next one goes on.
-- Cost: O(removed · log of the number of entries).

local ttl, most = tonumber(ARGV[3]), tonumber(ARGV[4])
if #ARGV ~= 4 or not ttl or not most or ttl <= 0 or most < 1 then
  return redis.error_reply('FLEETMETER cache_put: expected digest, entry, time to live, most entries')
end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function score(value)
  return string.format('%.0f', value)
end

redis.call('HSET', KEYS[1], ARGV[1], score(now + ttl) .. ' ' .. ARGV[2])
redis.call('ZADD', KEYS[2], score(now + ttl), ARGV[1])
redis.call('ZADD', KEYS[3], score(now), ARGV[1])

local function remove(digests)
  for _, digest in ipairs(digests) do
    redis.call('ZREM', KEYS[2], digest)
    redis.call('ZREM', KEYS[3], digest)
    redis.call('HDEL', KEYS[1], digest)
  end
  return tostring(#digests)
end

local expired = remove(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', score(now), 'LIMIT', 0, 100))
local over = math.min(100, redis.call('ZCARD', KEYS[3]) - most)
if over <= 0 then
  return { expired, '0' }
end
return { expired, remove(redis.call('ZRANGE', KEYS[3], 0, over - 1)) }
