-- Removes a document if its eight bytes at the offset are still those expected.
-- Returns the subject of a document that other slots may have entries of, '' for
-- any other document and for one that doesn't exist, and nil for one that has
-- changed.

local document, due, strays = unpack(KEYS)
local offset, expected, id, entry, now = tonumber(ARGV[1]), unpack(ARGV, 2)

local doc = redis.call('GET', document)
if not doc or string.sub(doc, offset + 1, offset + 8) ~= expected then
  if entry ~= '' then
    redis.call('ZREM', due, entry)
  end
  return not doc and ''
end
local d = parse_all(doc)
redis.call('DEL', document)
redis.call('ZREM', due, due_entry(d.sweep, id))
index('ZREM', d, d.created, id)
-- The next sweep checks whether the cut-offs cover another document.
covering(d, function(home, member) redis.call('ZADD', home .. 'cuts', 'XX', 0, member) end)
if ALONE or d.a == '' and d.w == '' then
  return ''
end
redis.call('ZADD', strays, now, id .. d.created .. d.constant)
return d.created .. d.constant
