-- Replaces an application if it still has the version before.

local records = KEYS[1]
local id, before, record = unpack(ARGV)

local kept = redis.call('HGET', records, id)
if not kept then
  return 'not found'
end
local old, new = parse(kept), parse(record)
if old.attempt == new.attempt then
  return 'done' -- The client library sends a script again if its answer was lost.
end
if old.version ~= before then
  return 'conflict'
end
new.client, new.created = old.client, old.created
index(old, id, drop)
index(new, id, add)
redis.call('HSET', records, id, join(new))
return 'done'
