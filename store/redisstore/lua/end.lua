-- Ends a document.

local document, due = unpack(KEYS)
local ended, sweep, id = unpack(ARGV)

local head = redis.call('GETRANGE', document, 0, 23)
if #head < 24 or string.sub(head, 9, 16) ~= NONE then
  return 0
end
redis.call('SETRANGE', document, 8, ended)

-- Lua compares strings by the server's locale, and a number has only 53 bits.
local function earlier(a, b)
  local ah, al = struct.unpack('>I4I4', a)
  local bh, bl = struct.unpack('>I4I4', b)
  return ah < bh or ah == bh and al < bl
end

local old = string.sub(head, 17, 24)
if old == NONE or earlier(sweep, old) then
  redis.call('SETRANGE', document, 16, sweep)
  redis.call('ZREM', due, due_entry(old, id))
  redis.call('ZADD', due, 0, due_entry(sweep, id))
end
return 1
