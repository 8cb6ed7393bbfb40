-- Removes some of the cache's entries: all of them, those of a model, those of a tenant, or both.
--
-- KEYS[1] cache:entries (hash: field → `<expiry µs> <entry>`)  KEYS[2] cache:expiry (zset)  KEYS[3] cache:order (zset)
-- ARGV[1] first place in the order to look at  ARGV[2] model, or empty for every one  ARGV[3] tenant, as model
-- ARGV[4] 1: the tenant matters, 0: every tenant's
-- Reply: { number removed, place to go on at, or -1 at the end }. A call looks at 500 entries, so that none is long.
-- Fields are `<digest> <model> <tenant>`.
-- Cost: O(500 · log of the number of entries).

local first = tonumber(ARGV[1])
if #ARGV ~= 4 or not first then
  return redis.error_reply('FLEETMETER cache_drop: expected place, model, tenant, whether the tenant matters')
end
local fields = redis.call('ZRANGE', KEYS[3], first, first + 499)
local removed = 0
for _, field in ipairs(fields) do
  local model, tenant = string.match(field, '^%S+ (%S*) (%S*)$')
  if (ARGV[2] == '' or model == ARGV[2]) and (ARGV[4] == '0' or tenant == ARGV[3]) then
    redis.call('ZREM', KEYS[2], field)
    redis.call('ZREM', KEYS[3], field)
    redis.call('HDEL', KEYS[1], field)
    removed = removed + 1
  end
end
if #fields < 500 then
  return { removed, -1 }
end
return { removed, first + 500 - removed }
