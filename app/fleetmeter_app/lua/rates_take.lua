-- Counts requests against rate limits, or says how long the one that finds no room has to wait.
--
-- KEYS[1] rates (hash: limit's name → `<window> <taken> <taken before>`)
-- ARGV[1..] for each request { number of its limits n, then n times: name, most, seconds }
-- Reply: for each request `0` if it was counted under all its limits, else the µs until there may be room: it was
--   counted under none.
-- A limit is a sliding window: what the window before took counts for the share of it that still lies within reach.
-- Cost: O(limits in the call).

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function number(text, least)
  local value = tonumber(text)
  if not value or value < least or value % 1 ~= 0 then
    error('expected a whole number')
  end
  return value
end

local requests = {}
local ok = pcall(function()
  local i = 1
  while i <= #ARGV do
    local limits = {}
    local count = number(ARGV[i], 0)
    for j = 0, count - 1 do
      local at = i + 1 + 3 * j
      limits[#limits + 1] = { ARGV[at], number(ARGV[at + 1], 1), number(ARGV[at + 2], 1) * 1000000 }
    end
    requests[#requests + 1] = limits
    i = i + 1 + 3 * count
  end
end)
if not ok then
  return redis.error_reply('FLEETMETER rates_take: malformed arguments')
end

local states, changed = {}, {}
local function state_of(name, length)
  local state = states[name]
  if not state then
    local window = math.floor(now / length)
    local at, taken, before = string.match(redis.call('HGET', KEYS[1], name) or '', '^(%d+) (%d+) (%d+)$')
    at, taken, before = tonumber(at), tonumber(taken), tonumber(before)
    if at == window then
      state = { window, taken, before }
    elseif at == window - 1 then
      state = { window, 0, taken }
    else
      state = { window, 0, 0 }
    end
    states[name] = state
  end
  return state
end

local function wait(state, most, length)
  local passed = now - state[1] * length
  local weighted = state[3] * (length - passed) / length + state[2]
  if weighted + 1 <= most then
    return 0
  elseif state[2] + 1 <= most then  -- once enough of the window before is out of reach
    return math.max(1, math.ceil(length - passed - (most - 1 - state[2]) * length / state[3]))
  end
  return math.ceil(length - passed + math.max(0, length - (most - 1) * length / state[2]))
end

local reply = {}
for r, limits in ipairs(requests) do
  local longest = 0
  for _, limit in ipairs(limits) do
    longest = math.max(longest, wait(state_of(limit[1], limit[3]), limit[2], limit[3]))
  end
  if longest == 0 then
    for _, limit in ipairs(limits) do
      local state = state_of(limit[1], limit[3])
      state[2] = state[2] + 1
      changed[limit[1]] = true
    end
  end
  reply[r] = string.format('%.0f', longest)
end
for name in pairs(changed) do
  local state = states[name]
  redis.call('HSET', KEYS[1], name, string.format('%.0f %d %d', state[1], state[2], state[3]))
end
return reply
