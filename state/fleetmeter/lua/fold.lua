-- Puts away what ended writers left: rows that said goodbye, rows silent for long, and records that are too old.
--
-- KEYS[1] writers  KEYS[2] retired  KEYS[3] gauges  KEYS[4] removed  KEYS[5..] writer:<id> of each writer, in their order
-- ARGV[1] epoch id  ARGV[2] farewell, µs  ARGV[3] goodbye grace, µs  ARGV[4] silence until folding, µs
-- ARGV[5] life of a retired number since its folding, µs  ARGV[6] life of a removal's record, µs
-- ARGV[7] number of writers, then for each { id, number of its gauges, then series and mode of each }
-- then { number of retired writers, their ids }, then { number of removals, their fields }
-- A writer goes if it said goodbye and its grace is over (its row is dropped), or if it was silent for long (its number
-- moves to `retired`, with the token of its batch). One that said goodbye and has no gauge of mode `all` goes after its
-- farewell: its number moves to `retired`, as if folded so long ago that it is dropped when the grace is over.
-- Its gauges go too; of those with mode sum, min, max and mostrecent the value joins the one
-- remainder of all such writers, `@folded <series>`. `@horizon` of `retired` is the newest heartbeat of all
-- rows that were dropped. If it is 12:00, a writer without a row that was last answered at 11:00 was dropped.
-- A folded number counts there with the latest time at which a writer of such long silence may have been answered.
-- Everything is judged here, by the store's clock, so that a second copy of a call, or a late one, changes nothing.
-- Reply: { `folded` or `epoch`, number of writers put away, number of records dropped }.
-- Cost: O(writers + gauges + records named).

local time = redis.call('TIME')
local now = tonumber(string.format('%d%06d', time[1], time[2]))
local farewell, grace, silence = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local retired_life, removed_life = tonumber(ARGV[5]), tonumber(ARGV[6])
local at = 7
local function take()
  at = at + 1
  return ARGV[at - 1]
end
local function take_number()
  local number = tonumber(take() or '')
  if not number then
    error('FLEETMETER fold: malformed arguments')
  end
  return number
end
if not (farewell and grace and silence and retired_life and removed_life and tonumber(ARGV[7] or '')) then
  return redis.error_reply('FLEETMETER fold: malformed arguments')
end
if string.match(redis.call('HGET', KEYS[1], '@epoch') or '', '^%S*') ~= ARGV[1] then
  return { 'epoch', '0', '0' }
end

local function raise_horizon(heartbeat)
  if heartbeat > tonumber(redis.call('HGET', KEYS[2], '@horizon') or '0') then
    redis.call('HSET', KEYS[2], '@horizon', string.format('%.0f', heartbeat))
  end
end

local function number_of(text)
  local value = string.match(text, '^%d+ (.*)$')
  return tonumber(value or ''), value
end

local function join(mode, old, new)
  local a, b = number_of(old), number_of(new)
  if mode == 'mostrecent' or not (a and b) then
    return tonumber(string.match(new, '^%d+') or 0) >= tonumber(string.match(old, '^%d+') or 0) and new or old
  end
  local value = mode == 'sum' and a + b or mode == 'min' and math.min(a, b) or math.max(a, b)
  return string.match(new, '^%d+') .. ' ' .. string.format('%.17g', value)
end

-- the same list as MERGED_MODES in schema/modes.py
local keeps = { sum = true, min = true, max = true, mostrecent = true }
local function put_gauge_away(writer, series, mode)
  local value = redis.call('HGET', KEYS[3], writer .. ' ' .. series)
  if value and keeps[mode] and string.match(value, '^%d+ ') then
    local remainder = redis.call('HGET', KEYS[3], '@folded ' .. series)
    redis.call('HSET', KEYS[3], '@folded ' .. series, remainder and join(mode, remainder, value) or value)
  end
  redis.call('HDEL', KEYS[3], writer .. ' ' .. series)
end

local writers, records = 0, 0
for i = 1, take_number() do
  local writer, gauges = take(), take_number()
  local row = redis.call('HGET', KEYS[1], writer)
  local head, heartbeat, state, token = string.match(row or '', '^(%d+ %d+) (%d+) (%S+) ?(%S*)')
  heartbeat = tonumber(heartbeat or now)
  local ended, age = state == 'goodbye', now - heartbeat
  local first, stays = at, false
  for _ = 1, gauges do
    local _, mode = take(), take()
    stays = stays or mode == 'all'
  end
  local dropped = row and ended and age > grace
  local goes = dropped or row and (age > silence or ended and age > farewell and not stays)
  if goes or not row then
    for i = first, at - 1, 2 do
      put_gauge_away(writer, ARGV[i], ARGV[i + 1])
    end
  end
  if goes then
    if dropped then
      raise_horizon(heartbeat)
    else
      local folded_at = ended and heartbeat + grace - retired_life or now
      local tail = token == '' and '' or ' ' .. token
      redis.call('HSET', KEYS[2], writer, head .. ' ' .. string.format('%.0f %.0f', heartbeat, folded_at) .. tail)
    end
    redis.call('HDEL', KEYS[1], writer)
    redis.call('DEL', KEYS[4 + i])
    writers = writers + 1
  end
end
for _ = 1, take_number() do
  local writer = take()
  local heartbeat, folded = string.match(redis.call('HGET', KEYS[2], writer) or '', '^%d+ %d+ (%d+) (%d+)')
  heartbeat, folded = tonumber(heartbeat or now), tonumber(folded or now)
  if now - folded > retired_life then
    -- the writer may have been answered later than that, by a store that was rolled back since; not within a day
    raise_horizon(math.max(heartbeat, now - silence))
    redis.call('HDEL', KEYS[2], writer)
    records = records + 1
  end
end
for _ = 1, take_number() do
  local field = take()
  if now - tonumber(redis.call('HGET', KEYS[4], field) or now) > removed_life then
    redis.call('HDEL', KEYS[4], field)
    records = records + 1
  end
end
redis.call('HSET', KEYS[1], '@swept', string.format('%.0f', now))
return { 'folded', tostring(writers), tostring(records) }
