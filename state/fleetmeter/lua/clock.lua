-- A part of apply.lua and hello.lua: the latest time that a row has, kept outside the rows, which may be evicted.

-- Keeps `@clock` of `retired` at or above the time of every row: it is moved 5 s ahead, so it is written that rarely.
local function keep_clock(retired, now)
  local clock, time = redis.pcall('HGET', retired, '@clock'), tonumber(now)
  if type(clock) ~= 'string' or (tonumber(clock) or 0) < time then
    redis.pcall('HSET', retired, '@clock', string.format('%.0f', time + 5000000))
  end
end
