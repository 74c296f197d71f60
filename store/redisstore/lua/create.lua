-- Stores a new document.

local document, due = unpack(KEYS)
local doc, id = unpack(ARGV)

if not redis.call('SET', document, doc, 'NX') then
  -- The client library sends a script again if its answer was lost.
  local mine = redis.call('GETRANGE', document, 24, 27) == string.sub(doc, 25, 28)
  return mine and 1 or 0
end
local d = parse_all(doc)
redis.call('ZADD', due, 0, due_entry(d.sweep, id))
index('ZADD', d, d.created, id)
return 1
