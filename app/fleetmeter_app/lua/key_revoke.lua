-- Revokes an API key; its id stays, so that nobody takes it for one that never was.
--
-- KEYS[1] keys (hash: id → what the key may, JSON; `revoked:<id>` → µs; `@version` → a text, new after each change)
-- ARGV[1] id  ARGV[2] the new version
-- Reply: `revoked`, `already`, or `unknown`: of the last two nothing changed.
-- Cost: O(1).

if #ARGV ~= 2 or not string.match(ARGV[1], '^%w+$') then
  return redis.error_reply('FLEETMETER key_revoke: expected id, version')
end
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return 'unknown'
end
local time = redis.call('TIME')
if redis.call('HSETNX', KEYS[1], 'revoked:' .. ARGV[1], string.format('%d%06d', time[1], time[2])) == 0 then
  return 'already'
end
redis.call('HSET', KEYS[1], '@version', ARGV[2])
return 'revoked'
