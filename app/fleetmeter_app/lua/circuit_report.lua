-- Takes in how calls of deployments went and which circuits are to change, and tells the state of all circuits.
--
-- KEYS[1] circuits (hash: deployment → `<state> <changes> <until µs> <openings> <prober>`); state is `closed`, `open`
--   or `half_open`; `until` is when an open one may be tried, or when a prober's time is over; `openings` counts those
--   in a row; the prober is a replica, `-` for none
-- KEYS[2] circuits:calls (hash: deployment → `<window> <calls> <failures> <calls before> <failures before> <in a row>`)
-- ARGV[1] replica  ARGV[2] JSON: { row, share, least, window, open, longest, probe }: failures in a row and share of
--   failures that open a circuit, the share of `least` calls or more within `window` µs; µs that it stays open the first
--   time and at most; µs that a prober has
-- ARGV[3] JSON: for each event [deployment, kind, a, b, c, d]
--   `calls`  a calls, of which b failed; the last c of them failed in a row; d µs that the deployment asked to be left
--   `open`   if there were a changes so far: opens it for b µs at least
--   `close`  if there were a changes so far: closes it
--   `hold`   if there were a changes so far, and this replica is the prober: its probe is still under way
--   `probe`  if there were a changes so far and its time has come: this replica may try it
-- Reply: { store's time in µs, { deployment, state, … } for each change, HGETALL of circuits }
-- Cost: O(events + deployments).

local MOST_OPENINGS = 16

local replica = ARGV[1]
local readable, rules = pcall(cjson.decode, ARGV[2] or '')
local legible, events = pcall(cjson.decode, ARGV[3] or '')
if #ARGV ~= 3 or not string.match(replica, '^%x+$') or not readable or not legible or type(rules) ~= 'table'
  or type(events) ~= 'table' then
  return redis.error_reply('FLEETMETER circuit_report: malformed arguments')
end
for _, name in ipairs({ 'row', 'share', 'least', 'window', 'open', 'longest', 'probe' }) do
  if type(rules[name]) ~= 'number' then
    return redis.error_reply('FLEETMETER circuit_report: no rule ' .. name)
  end
end
for _, event in ipairs(events) do
  if type(event[1]) ~= 'string' or type(event[2]) ~= 'string' then
    return redis.error_reply('FLEETMETER circuit_report: malformed event')
  end
end

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local changes = {}

local function circuit_of(deployment)
  local state, changed, til, openings, prober =
    string.match(redis.call('HGET', KEYS[1], deployment) or '', '^(%l[%l_]*) (%d+) (%d+) (%d+) (%S+)$')
  if state ~= 'open' and state ~= 'half_open' and state ~= 'closed' then
    return { state = 'closed', changes = 0, til = 0, openings = 0, prober = '-' }
  end
  return {
    state = state, changes = tonumber(changed), til = tonumber(til), openings = tonumber(openings), prober = prober,
  }
end

local function write(deployment, circuit)
  redis.call('HSET', KEYS[1], deployment, string.format('%s %.0f %.0f %.0f %s', circuit.state, circuit.changes,
    circuit.til, circuit.openings, circuit.prober))
end

local function change(deployment, circuit, state)
  if circuit.state ~= state then
    changes[#changes + 1] = deployment
    changes[#changes + 1] = state
  end
  circuit.state = state
  circuit.changes = circuit.changes + 1
  write(deployment, circuit)
end

local function open(deployment, circuit, least)
  circuit.openings = math.min(circuit.openings + 1, MOST_OPENINGS)
  local length = math.min(rules.longest, rules.open * 2 ^ (circuit.openings - 1))
  circuit.til = now + math.max(length, least)
  circuit.prober = '-'
  redis.call('HDEL', KEYS[2], deployment)
  change(deployment, circuit, 'open')
end

local function count(deployment, circuit, calls, failures, row, asked)
  local window = math.floor(now / rules.window)
  local at, all, failed, before, failed_before, in_row = string.match(
    redis.call('HGET', KEYS[2], deployment) or '', '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
  at = tonumber(at)
  if at == window - 1 then
    all, failed, before, failed_before = 0, 0, all, failed
  elseif at ~= window then
    all, failed, before, failed_before = 0, 0, 0, 0
  end
  in_row = tonumber(in_row or '0')
  in_row = row == calls and in_row + row or row
  all, failed = all + calls, failed + failures
  redis.call('HSET', KEYS[2], deployment, string.format('%.0f %d %d %d %d %d', window, all, failed, before,
    failed_before, in_row))
  local reach = 1 - (now - window * rules.window) / rules.window
  local weighed, bad = all + before * reach, failed + failed_before * reach
  if circuit.state == 'closed' and failures > 0
    and (in_row >= rules.row or weighed >= rules.least and bad >= rules.share * weighed) then
    open(deployment, circuit, asked)
  end
end

for _, event in ipairs(events) do
  local deployment, kind = event[1], event[2]
  local circuit = circuit_of(deployment)
  if kind == 'calls' then
    count(deployment, circuit, event[3], event[4], event[5], event[6])
  elseif event[3] == circuit.changes then
    if kind == 'open' and circuit.state ~= 'open' then
      open(deployment, circuit, event[4])
    elseif kind == 'close' and circuit.state ~= 'closed' then
      circuit.til, circuit.openings, circuit.prober = 0, 0, '-'
      redis.call('HDEL', KEYS[2], deployment)
      change(deployment, circuit, 'closed')
    elseif kind == 'hold' and circuit.state == 'half_open' and circuit.prober == replica then
      circuit.til = now + rules.probe
      write(deployment, circuit)
    elseif kind == 'probe' and circuit.state ~= 'closed' and now >= circuit.til then
      circuit.til, circuit.prober = now + rules.probe, replica
      change(deployment, circuit, 'half_open')
    end
  end
end
return { string.format('%.0f', now), changes, redis.call('HGETALL', KEYS[1]) }
