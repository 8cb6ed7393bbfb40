-- Puts a new API key into the store.
--
-- KEYS[1] keys (hash: id → what the key may, JSON; `@version` → a text that is new after each change)
-- ARGV[1] id  ARGV[2] JSON  ARGV[3] the new version
-- Reply: `created`, or `taken` if there is such an id: nothing changed.
-- Cost: O(1).

if #ARGV ~= 3 or not string.match(ARGV[1], '^%w+$') then
  return redis.error_reply('FLEETMETER key_create: expected id, JSON, version')
end
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 0 then
  return 'taken'
end
redis.call('HSET', KEYS[1], '@version', ARGV[3])
return 'created'
