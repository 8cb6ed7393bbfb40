-- A part of apply.lua: whether the user may call what packed numbers need, asked before anything is written.
-- A server refuses a command inside a script like any other, and the numbers of a batch are added by `pcall`: without this
-- question, a user from before packed numbers would have its row written and its numbers refused.

-- What the server says of a command that it does not know, or that this user may not call; by version.
local DENIALS = { 'no permission', "can't run", 'nknown' }

local function denial_in(reply)
  for _, words in ipairs(type(reply) == 'table' and reply.err and DENIALS or {}) do
    if string.find(reply.err, words, 1, true) then
      return reply.err
    end
  end
end

-- The error of the first command that is denied for the keys of a packed layout; nil if all are allowed. Each is called in
-- a form that changes nothing. RPUSH has no such form: a server that can be asked (Redis 7 and Valkey) is asked.
local function denied(numbers, names)
  for _, call in ipairs({
    { 'BITFIELD', numbers }, { 'EXISTS', numbers }, { 'LINDEX', names, 0 }, { 'LLEN', names },
    { 'SETRANGE', numbers, 0, '' }, { 'STRLEN', numbers },
  }) do
    local denial = denial_in(redis.pcall(unpack(call)))
    if denial then
      return call[1] .. ': ' .. denial
    end
  end
  if redis.acl_check_cmd then
    local known, allowed = pcall(redis.acl_check_cmd, 'RPUSH', names, '')
    if not (known and allowed) then
      return 'RPUSH: ' .. (known and DENIALS[1] or 'unknown command')
    end
  end
end
