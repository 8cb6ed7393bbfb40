-- Looks one answer up in the prompt cache, and removes it where its time is over.
--
-- KEYS[1] cache:entries (hash: digest → `<expiry µs> <entry>`)  KEYS[2] cache:expiry (zset)  KEYS[3] cache:order (zset)
-- ARGV[1] digest
-- Reply: { result, entry }; result is `hit`, `miss` or `expired`, entry is empty unless it is a hit.
-- Cost: O(log of the number of entries).

if #ARGV ~= 1 then
  return redis.error_reply('FLEETMETER cache_get: expected one digest')
end
local stored = redis.call('HGET', KEYS[1], ARGV[1])
if not stored then
  return { 'miss', '' }
end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local expiry, entry = string.match(stored, '^(%d+) (.*)$')
if expiry and tonumber(expiry) > now then
  return { 'hit', entry }
end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[1], ARGV[1])
return { 'expired', '' }
