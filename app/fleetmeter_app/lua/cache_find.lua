-- Looks one answer up in the cache, and says who makes it if it is not there.
--
-- KEYS[1] cache:entries (hash: field → `<expiry µs> <entry>`)  KEYS[2] cache:expiry (zset)  KEYS[3] cache:order (zset)
-- KEYS[4] cache:flights (hash: field → `<end µs> <token>` of the caller that makes it)  KEYS[5] cache:leases (zset of ends)
-- ARGV[1] field  ARGV[2] the caller's token, or empty: only look  ARGV[3] µs that the caller has for making it
-- ARGV[4] 1: look into the cache, 0: a new answer is wanted
-- Reply: { state, expired, value }: `hit` and the entry; `wait` and the µs that the maker has left; `lead`: the caller
-- makes it; `miss`: nobody does. `expired` is 1 if an entry was there whose time was over; it is then removed.
-- A caller that leads may ask again, and still leads. A maker whose time is over has crashed: the next one leads.
-- Ten leases that are over are removed by each call that leads, so that those of crashed makers do not pile up.
-- Cost: O(log of the number of entries).

local lease = tonumber(ARGV[3])
if #ARGV ~= 4 or not lease then
  return redis.error_reply('FLEETMETER cache_find: expected field, token, lease, look')
end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local expired = '0'

if ARGV[4] == '1' then
  local stored = redis.call('HGET', KEYS[1], ARGV[1])
  if stored then
    local space = string.find(stored, ' ', 1, true)
    local expiry = space and tonumber(string.sub(stored, 1, space - 1))
    if expiry and expiry > now then
      return { 'hit', expired, string.sub(stored, space + 1) }
    end
    redis.call('ZREM', KEYS[2], ARGV[1])
    redis.call('ZREM', KEYS[3], ARGV[1])
    redis.call('HDEL', KEYS[1], ARGV[1])
    expired = '1'
  end
end

if ARGV[2] == '' then
  return { 'miss', expired, '' }
end
local till, maker = string.match(redis.call('HGET', KEYS[4], ARGV[1]) or '', '^(%d+) (.*)$')
local left = till and tonumber(till) - now or 0
if maker ~= ARGV[2] and left > 0 then
  return { 'wait', expired, string.format('%.0f', left) }
end
for _, field in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', string.format('%.0f', now), 'LIMIT', 0, 10)) do
  redis.call('ZREM', KEYS[5], field)
  redis.call('HDEL', KEYS[4], field)
end
local ending = string.format('%.0f', now + lease)
redis.call('HSET', KEYS[4], ARGV[1], ending .. ' ' .. ARGV[2])
redis.call('ZADD', KEYS[5], ending, ARGV[1])
return { 'lead', expired, '' }
