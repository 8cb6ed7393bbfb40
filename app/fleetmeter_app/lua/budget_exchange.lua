-- Takes in what one replica has spent and holds of some budgets, grants what it asks for, and tells what all have.
--
-- A replica says what it has spent in a period so far, and what it holds, never what was added. So a call may come
-- twice, or not at all: the next one says everything again. A store that was rolled back is right after each living
-- replica's next call.
--
-- KEYS[1..] the accounts (hash: `@period` → `<start s> <start of the one before>`; `<start> @spent`, `@held`,
--   `@assumed` → nano-dollars of all replicas; `<start> <replica>` → `<call> <seen µs> <spent> <held> <assumed>`;
--   `@swept` → µs)
-- ARGV[1] replica  ARGV[2] number of the call, which rises  ARGV[3] µs for which what a replica holds stands without a
--   sign of it  ARGV[4] µs of silence after which its rows go  ARGV[5] JSON: for each account
--   [window, [[start, spent, held, assumed], …]]  ARGV[6] JSON: for each question [amount, [[account, limit], …]], with
--   the account's place in KEYS from 1 on, and an empty limit if it only counts. All amounts are texts.
-- Reply: { `done`, store's time in µs, for each account start, start before, spent, held, assumed; for each question
--   `0` if it was granted, and is held, or the place of the first account that has no room }, or
--   { `stale` } if a later call of this replica has come: nothing changed.
-- Amounts up to 2^53 - 1 in each row are exact; totals are kept by HINCRBY and exact up to 2^63 - 1.
-- Cost: O(accounts + questions); once a second for each account that is in use, O(replicas of two periods).

local MOST = 9007199254740991

local function fail()
  return redis.error_reply('FLEETMETER budget_exchange: malformed arguments')
end
local function amount(value)
  local number = type(value) == 'string' and string.match(value, '^%d+$') and tonumber(value)
  return number and number <= MOST and number or nil
end
local function text(number)
  return string.format('%.0f', number)
end

local replica, call, lease, silence = ARGV[1], amount(ARGV[2]), amount(ARGV[3]), amount(ARGV[4])
local readable, accounts = pcall(cjson.decode, ARGV[5] or '')
local legible, questions = pcall(cjson.decode, ARGV[6] or '')
if #ARGV ~= 6 or not string.match(replica, '^%x+$') or not call or not lease or not silence or not readable
  or not legible or type(accounts) ~= 'table' or type(questions) ~= 'table' or #accounts ~= #KEYS then
  return fail()
end
for _, account in ipairs(accounts) do
  if account[1] ~= 'hour' and account[1] ~= 'day' and account[1] ~= 'month' or type(account[2]) ~= 'table' then
    return fail()
  end
  for _, row in ipairs(account[2]) do
    for i = 1, 4 do
      row[i] = amount(row[i])
      if not row[i] then
        return fail()
      end
    end
  end
end
for _, question in ipairs(questions) do
  question[1] = amount(question[1])
  if not question[1] or type(question[2]) ~= 'table' then
    return fail()
  end
  for _, part in ipairs(question[2]) do
    part[3] = part[2] ~= '' and amount(part[2]) or nil
    if not KEYS[part[1]] or part[2] ~= '' and not part[3] then
      return fail()
    end
  end
end

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function start_of(window)
  local seconds = tonumber(time[1])
  if window == 'hour' then
    return seconds - seconds % 3600
  end
  local days = math.floor(seconds / 86400)
  if window == 'month' then  -- the day of the month, by https://howardhinnant.github.io/date_algorithms.html
    local shifted = days + 719468
    local of_era = shifted % 146097
    local year = math.floor((of_era - math.floor(of_era / 1460) + math.floor(of_era / 36524)
      - math.floor(of_era / 146096)) / 365)
    local of_year = of_era - (365 * year + math.floor(year / 4) - math.floor(year / 100))
    local month = math.floor((5 * of_year + 2) / 153)
    days = days - (of_year - math.floor((153 * month + 2) / 5))
  end
  return days * 86400
end

local function stored_row(key, start)
  local row = redis.call('HGET', key, text(start) .. ' ' .. replica)
  if not row then
    return { call = -1, spent = 0, held = 0, assumed = 0 }
  end
  local number, _, spent, held, assumed = string.match(row, '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
  return { call = tonumber(number), spent = tonumber(spent), held = tonumber(held), assumed = tonumber(assumed) }
end

-- read everything first: a call that is too old changes nothing
local found = {}
for i, account in ipairs(accounts) do
  local state = { key = KEYS[i], rows = {}, start = start_of(account[1]) }
  local period, before = string.match(redis.call('HGET', KEYS[i], '@period') or '', '^(%d+) (%d+)$')
  period, before = tonumber(period), tonumber(before)
  if period and period > state.start and period * 1000000 < now + 60000000 then
    state.start = period  -- the store's clock went back a little: a period that has begun stays
  end
  if period == state.start then
    state.before = before
  else
    state.before = period and period < state.start and period or 0
    state.begins = true
  end
  for _, row in ipairs(account[2]) do
    local start = row[1]
    if start == state.start or start == state.before and start > 0 then
      state.rows[start] = { was = stored_row(state.key, start), spent = row[2], held = row[3], assumed = row[4] }
    end
  end
  if not state.rows[state.start] then
    local was = stored_row(state.key, state.start)
    state.rows[state.start] = { was = was, spent = was.spent, held = 0, assumed = was.assumed }
  end
  for _, row in pairs(state.rows) do
    if row.was.call >= call then
      return { 'stale' }
    end
    row.spent = math.max(row.spent, row.was.spent)
    row.assumed = math.max(row.assumed, row.was.assumed)
  end
  found[i] = state
end

-- a period begins: nothing of those before the last one is needed any more
local function begin(state)
  local gone = {}
  for _, field in ipairs(redis.call('HKEYS', state.key)) do
    local start = tonumber(string.match(field, '^(%d+) '))
    if start and start ~= state.start and start ~= state.before then
      gone[#gone + 1] = field
    end
  end
  redis.call('HSET', state.key, '@period', text(state.start) .. ' ' .. text(state.before))
  for i = 1, #gone, 1000 do
    redis.call('HDEL', state.key, unpack(gone, i, math.min(i + 999, #gone)))
  end
end

-- what a replica holds that gives no sign is free again; the rows of one that is silent for long go
local function sweep(state)
  local swept = tonumber(redis.call('HGET', state.key, '@swept') or '0')
  if swept <= now and now - swept < 1000000 then
    return
  end
  redis.call('HSET', state.key, '@swept', text(now))
  local fields = redis.call('HGETALL', state.key)
  for i = 1, #fields, 2 do
    local start, other = string.match(fields[i], '^(%d+) (%x+)$')
    if other and other ~= replica then
      local number, seen, spent, held, assumed = string.match(fields[i + 1], '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
      if seen and tonumber(seen) + silence < now then
        redis.call('HDEL', state.key, fields[i])
      elseif seen and tonumber(seen) + lease < now and held ~= '0' then
        redis.call('HSET', state.key, fields[i], number .. ' ' .. seen .. ' ' .. spent .. ' 0 ' .. assumed)
      end
      if seen and tonumber(seen) + lease < now and held ~= '0' then
        redis.call('HINCRBY', state.key, start .. ' @held', '-' .. held)
      end
    end
  end
end

local function total(state, start, name)
  return tonumber(redis.call('HGET', state.key, text(start) .. ' @' .. name) or '0')
end

local function add(state, start, name, difference)
  if difference ~= 0 then
    redis.call('HINCRBY', state.key, text(start) .. ' @' .. name, text(difference))
  end
end

for _, state in ipairs(found) do
  if state.begins then
    begin(state)
  end
  sweep(state)
  local own = state.rows[state.start]
  state.room_taken = total(state, state.start, 'spent') + own.spent - own.was.spent
    + total(state, state.start, 'held') + own.held - own.was.held
end

local answers = {}
for q, question in ipairs(questions) do
  local refused = 0
  for _, part in ipairs(question[2]) do
    if refused == 0 and part[3] and found[part[1]].room_taken + question[1] > part[3] then
      refused = part[1]
    end
  end
  if refused == 0 then
    for _, part in ipairs(question[2]) do
      local state = found[part[1]]
      state.room_taken = state.room_taken + question[1]
      state.rows[state.start].held = state.rows[state.start].held + question[1]
    end
  end
  answers[q] = text(refused)
end

local told = {}
for i, state in ipairs(found) do
  for start, row in pairs(state.rows) do
    if row.spent > 0 or row.held > 0 or row.was.call >= 0 then
      redis.call('HSET', state.key, text(start) .. ' ' .. replica, text(call) .. ' ' .. text(now) .. ' '
        .. text(row.spent) .. ' ' .. text(row.held) .. ' ' .. text(row.assumed))
      add(state, start, 'spent', row.spent - row.was.spent)
      add(state, start, 'held', row.held - row.was.held)
      add(state, start, 'assumed', row.assumed - row.was.assumed)
    end
  end
  for _, value in ipairs({ text(state.start), text(state.before) }) do
    told[#told + 1] = value
  end
  for _, name in ipairs({ 'spent', 'held', 'assumed' }) do
    told[#told + 1] = redis.call('HGET', state.key, text(state.start) .. ' @' .. name) or '0'
  end
end
return { 'done', text(now), told, answers }
