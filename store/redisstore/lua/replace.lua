-- Replaces a document if it still has the mark and hasn't ended.

local document, due, strays = unpack(KEYS)
local mark, head, tail, id, now = unpack(ARGV)

local doc = redis.call('GET', document)
if not doc then
  return 0
end
if string.sub(doc, 25, 28) == string.sub(head, 25, 28) then
  return 1 -- The client library sends a script again if its answer was lost.
end
local old, new = parse_all(doc), {sweep = string.sub(head, 17, 24), created = string.sub(head, 29, 36)}
if string.sub(doc, 1, 8) ~= mark or old.ended ~= NONE then
  return 0
end
if old.created ~= new.created then
  if not ALONE and (old.a ~= '' or old.w ~= '') then
    -- The new entries in other slots come first, and the old ones go last.
    if now == '' then
      return old.created .. old.constant
    end
    redis.call('ZADD', strays, now, id .. old.created .. old.constant)
  end
  index('ZREM', old, old.created, id)
  index('ZADD', old, new.created, id)
end
if old.sweep ~= new.sweep then
  redis.call('ZREM', due, due_entry(old.sweep, id))
  redis.call('ZADD', due, 0, due_entry(new.sweep, id))
end
redis.call('SET', document, head .. old.constant .. tail)
return 1
