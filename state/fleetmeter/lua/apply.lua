-- Adds one batch of a writer to the fleet's numbers, once: a compare-and-set on the writer's row.
--
-- KEYS[1] writers  KEYS[2] retired  KEYS[3] families  KEYS[4] gauges  KEYS[5] exemplars  KEYS[6] removed  KEYS[7] sizes
-- KEYS[8] returned
-- KEYS[9..] the numbers of each family that the body touches; for a packed layout its numbers, series and names, one
--   after the other
-- ARGV[1] epoch id  ARGV[2] writer id  ARGV[3] prev  ARGV[4] token of the batch prev  ARGV[5] seq  ARGV[6] token of seq
-- ARGV[7] batches given up  ARGV[8] `alive`, `packed` if the writer packs its numbers, or `goodbye` if it ends
-- ARGV[9] label sets that a family may hold
-- ARGV[10..] the body: sections of { operation, index into KEYS, number of items, items … }, in this order of effect:
--   define    item = field, definition       `<first µs> <defined µs> <definition>`, kept if it is the newest already
--   expect    item = field                     nothing is written; the answer says if its definition is missing
--   remove    item = family field, pattern, `one` or `parts`: every series whose label values fit (null fits any);
--                                            one section has all those of a family, which is that of its key
--   unset     item = series                  this writer's gauge
--   gauge     item = series, value           this writer's gauge
--   add       item = field, amount           HINCRBY, or HINCRBYFLOAT if that is refused; each field is one series
--   add_part  item = field, amount           the same; a series has several fields, which differ in their last element
--   remove_packed  the same as remove; the key is that of a packed layout's numbers, as it is of the two that follow
--   remove_twin, remove_packed_twin  the same for a layout that the writer does not add to, as it keeps the family in
--                                            the other format; nothing is noted if there is nothing of it
--   indexed   `<generation> <names> <digest of the last>` as the writer knows them; how many plain slots and how many
--             wholes follow, the rest are remainders; for each `#<slot>` and amount, as BITFIELD takes them
--   named     a shape, how many series; for each the series, how many amounts, a place in the block and each amount
--   exemplar  item = field, `<µs> <exemplar>`  kept if it is newer than what is there, and its number is there
-- The body holds the sum of the writer's batches after prev up to seq.
-- A row has the number and the token of the batch that was applied last; both must agree. If two copies of a process
-- send a batch 7, the token says whose it was. A row without a token (number 0, or written by a version without tokens)
-- agrees with any token. An empty token is none.
-- Reply: { status, row, batches that the row has given up, its token, epoch, store time in µs, number of refused items,
-- then pairs of kind and text }; status is
--   applied  row was prev: everything is in, row is seq now
--   already  row is seq: it was in before, nothing changed
--   behind   row is neither: nothing changed
--   unknown  the writer has no row, nothing changed (it must say hello)
--   epoch    the namespace has another epoch, or none; nothing changed
--   stale    the row is prev, but what the body knows of slots holds no more; nothing changed (send it by name)
-- The pairs are
--   refused   `key field: error`, up to 10 of them
--   overflow  `<number of series> <key>`: what went to the series `__overflow__`, as its family is full
--   conflict  `<field> <definition>`: one that stood there, or stands beside, and says something else; up to 10
--   undefined `<field>` of the first family that has no definition: it was forgotten, or evicted
--   stale     `<field>` of each packed layout that is the reason
--   learned   `<field> <generation> <names> <digest of the last> <slot> …` for each section of `named`: where its blocks
--             begin, in their order; `-` for a series that went to `__overflow__`
--   grown     `<field> <generation> <names> <digest of the last>` of a layout with a section of `indexed` that has more
--             names than this knew
-- If a section of `named` needs a command that the user may not call, the reply is an error that begins with NOPERM, and
-- nothing changed.
-- The row is written first, by `call`: out of memory, read-only and the like stop the script with nothing written.
-- Each number follows by `pcall`, so that none can block a writer.
-- Cost: O(number of items); define O(families); a section of remove O(numbers of the family + all exemplars, and all
-- returns if it has a pattern with null), once for each such pattern; add_part to a family that may be full O(its
-- numbers), if these are not the ones that were last counted; remove_packed O(series that ever came to the layout) if a
-- pattern has null; named O(its series * (1 + series of the layout / 256)).

local FIXED, OVERFLOW, SUM = 8, '__overflow__', '"sum"]'

--@include replies
local prev, seq, given_up, limit = whole(ARGV[3]), whole(ARGV[5]), whole(ARGV[7]), whole(ARGV[9])
local prev_token, token = ARGV[4] or ' ', ARGV[6] or ' '
local place = { define = 3, expect = 3, unset = 4, gauge = 4, exemplar = 5 }
local width = { define = 2, expect = 1, remove = 3, unset = 1, gauge = 2, exemplar = 2, add = 2, add_part = 2,
  remove_packed = 3, remove_twin = 3, remove_packed_twin = 3, indexed = 1, named = 1 }
local of_three_keys = { remove_packed = true, remove_packed_twin = true, indexed = true, named = true }

local function malformed(what)
  return redis.error_reply('FLEETMETER apply: malformed ' .. what)
end

--@include clock

local state = ARGV[8]
if not (prev and seq and given_up and limit) or seq < prev or string.find(prev_token .. token, '%s') then
  return malformed('head')
end
if not (state == 'alive' or state == 'packed' or state == 'goodbye') then
  return malformed('head')
end

local sections, any_packed, any_named, at = {}, false, false, 10
while at <= #ARGV do
  local operation, index, count = ARGV[at], whole(ARGV[at + 1]) or 0, whole(ARGV[at + 2])
  local items, key = width[operation], KEYS[index]
  local allowed = place[operation] and index == place[operation] or not place[operation] and index > FIXED
  allowed = allowed and (not of_three_keys[operation] or KEYS[index + 2])
  if not (items and key and count and allowed) then
    return malformed('section at ' .. at)
  end
  local last = at + 2 + count * items
  if last > #ARGV then
    return malformed('length of the section at ' .. at)
  end
  if of_three_keys[operation] then
    any_packed, any_named = true, any_named or operation ~= 'indexed'
  elseif operation == 'exemplar' then
    any_named = true
  end
  sections[#sections + 1] = { operation, key, at + 3, last, count, index, 0, 0, 0 } -- and room for counts of slots
  at = last + 1
end

local writer = ARGV[2]
local time = redis.call('TIME')
local now = string.format('%d%06d', time[1], time[2])
local epoch = redis.call('HGET', KEYS[1], '@epoch') or ''
if string.match(epoch, '^%S*') ~= ARGV[1] then
  return { 'epoch', '0', '0', '', epoch, now, '0' }
end
local row = redis.call('HGET', KEYS[1], writer)
local folded = not row and redis.call('HGET', KEYS[2], writer)
local known = row or folded or ''
local applied = string.match(known, '^%d+')
if not applied then
  return { 'unknown', '0', '0', '', epoch, now, '0' }
end
local row_number, as_sent = tonumber(applied), ' ' .. prev_token
if row_number ~= prev or prev_token == '' or string.sub(known, -#as_sent) ~= as_sent then -- else no more need be read
  local lost, held = string.match(known, '^%d+ ?(%d*) ?%d* ?%S* ?(%S*)')
  local fits_any = held == ''
  if row_number ~= prev or not (fits_any or held == prev_token) then
    local status = row_number == seq and (fits_any or held == token) and 'already' or 'behind'
    return { status, applied, lost, held, epoch, now, '0' }
  end
end

local notes, refused, conflicts, undefined = {}, 0, 0, false
local function note(kind, text)
  notes[#notes + 1] = kind
  notes[#notes + 1] = text
end
local function check(result, key, field)
  if type(result) == 'table' and result.err then
    refused = refused + 1
    if refused <= 10 then
      note('refused', key .. ' ' .. field .. ': ' .. result.err)
    end
  end
end
local function conflict(field, definition)
  conflicts = conflicts + 1
  if conflicts <= 10 then
    note('conflict', field .. ' ' .. definition)
  end
end

local layouts  -- family → its fields in `families`
local function layouts_of(key, family)
  if not layouts then
    layouts = {}
    for _, field in ipairs(list(redis.pcall('HKEYS', key))) do
      local name = string.match(field, '^(.*):[^:]*$')
      if name then
        layouts[name] = layouts[name] or {}
        table.insert(layouts[name], field)
      end
    end
  end
  layouts[family] = layouts[family] or {}
  return layouts[family]
end

-- The stored text of one layout, as its times and its definition.
local function stored(key, field)
  local text = redis.pcall('HGET', key, field)
  if type(text) == 'string' then
    return string.match(text, '^(%d+) (%d+) (.*)$')
  end
end

-- A definition that is new, says something else than before, or was not the family's newest, is the newest from now on:
-- later than every other, even if the clock went back or one batch defines several.
local function define(key, field, definition)
  local first, defined, was = stored(key, field)
  if was ~= definition then
    if was then
      conflict(field, was)
    end
    first, defined = first or now, nil
  end
  local newest, latest, beside = nil, 0, nil
  local known = layouts_of(key, string.match(field, '^(.*):[^:]*$'))
  for _, other in ipairs(known) do
    local _, at, text = stored(key, other)
    if other ~= field and at and tonumber(at) > latest then
      newest, latest, beside = other, tonumber(at), text
    end
  end
  if newest and not (defined and tonumber(defined) > latest) then
    conflict(newest, beside)
    defined = string.format('%.0f', math.max(tonumber(now), latest + 1))
  end
  if not was then
    table.insert(known, field)
  end
  check(redis.pcall('HSET', key, field, first .. ' ' .. (defined or now) .. ' ' .. definition), key, field)
end

--@include notes
--@include series
--@include removal

local declared  -- key → its place in KEYS, once one was asked for
local function place_of(key)
  if not declared then
    declared = {}
    for i = FIXED + 1, #KEYS do
      declared[KEYS[i]] = i
    end
  end
  return declared[key]
end

local add_to_slots, add_named, remove_packed, lacks, tell_grown
if any_packed then -- else these functions would be made for nothing, which takes longer than a small batch

--@include stated
--@include packed_layouts
--@include slots

  if any_named then -- series are looked up

--@include blocks
--@include packed_forms
--@include permitted
--@include packed

    local named
    for _, section in ipairs(sections) do
      if section[1] == 'named' then
        named = named or section
        if not read_named(section, section[3], section[4]) then
          return malformed('named of ' .. section[2])
        end
      end
    end
    local problem = named and denied(named[2], KEYS[named[6] + 2])
    if problem then
      return redis.error_reply('NOPERM packed numbers cannot be added, nothing was changed: ' .. problem)
    end
  end
  local broken, outdated = outdated_of(sections)
  if broken then
    return malformed('indexed of ' .. broken[2])
  end
  if #outdated > 0 then
    local lost, held = string.match(known, '^%d+ ?(%d*) ?%d* ?%S* ?(%S*)')
    return { 'stale', applied, lost, held, epoch, now, '0', unpack(outdated, 1, math.min(#outdated, MOST_ARGUMENTS)) }
  end
end

local function exemplar(key, field, text)
  local family, number_field = split_note(field)
  local numbers = stem .. (family or '')
  local missing = place_of(numbers) and redis.pcall('HEXISTS', numbers, number_field) == 0
  if missing or lacks and family and lacks(family, number_field) then
    return -- its series went to `__overflow__`
  end
  local old = redis.pcall('HGET', key, field)
  local set, was = string.match(text, '^%d+'), type(old) == 'string' and string.match(old, '^%d+')
  if not was or tonumber(set) >= tonumber(was) then
    check(redis.pcall('HSET', key, field, text), key, field)
  end
end

--@include adding

local run = { define = define, exemplar = exemplar }
function run.expect(key, field)
  if not undefined and redis.pcall('HEXISTS', key, field) == 0 then
    undefined = true
    note('undefined', field)
  end
end
function run.unset(key, series)
  check(redis.pcall('HDEL', key, writer .. ' ' .. series), key, series)
end
function run.gauge(key, series, value)
  check(redis.pcall('HSET', key, writer .. ' ' .. series, value), key, series)
end

local tail = token == '' and '' or ' ' .. token
redis.call('HSET', KEYS[1], writer, ARGV[5] .. ' ' .. ARGV[7] .. ' ' .. now .. ' ' .. state .. tail)
if folded then
  redis.call('HDEL', KEYS[2], writer)
end
keep_clock(KEYS[2], now)

local removal = {
  remove = remove, remove_twin = remove, remove_packed = remove_packed, remove_packed_twin = remove_packed,
}
for _, section in ipairs(sections) do
  local operation, key, first, last, count, index = unpack(section)
  if operation == 'add' or operation == 'add_part' then
    local parted = operation == 'add_part'
    local length = count > 0 and redis.pcall('HLEN', key)
    local labels = type(length) == 'number' and length + count > limit and labels_of(ARGV[first], parted) or 0
    local noted = had_removals(key, #stem + 1)
    if labels > 0 then
      add_bounded(key, length, labels, first, last, parted, noted)
    elseif noted then
      add_noted(key, first, last, parted)
    else
      for i = first, last, 2 do
        add(key, ARGV[i], ARGV[i + 1])
      end
    end
  elseif operation == 'indexed' then
    add_to_slots(key, ARGV, first + 3, section[7], section[8], section[9])
  elseif operation == 'named' then
    add_named(index, section)
  elseif removal[operation] then
    local packed_one = of_three_keys[operation]
    local series = packed_one and KEYS[index + 1] or key
    local twin = string.sub(operation, -5) == '_twin'
    if count > 0 and not (twin and number(redis.pcall('HLEN', series)) == 0) then
      removal[operation](packed_one and index or key, first, last)
    end
  else
    local act, step = run[operation], width[operation]
    for i = first, last, step do
      act(key, ARGV[i], ARGV[i + 1])
    end
  end
end
if any_packed then
  tell_grown()
end
local reply = { 'applied', ARGV[5], ARGV[7], token, epoch, now, tostring(refused) }
for i = 1, #notes do
  reply[#reply + 1] = notes[i]
end
return reply
