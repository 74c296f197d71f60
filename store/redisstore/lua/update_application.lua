-- Replaces an application, if it still has the version that the caller saw.

local records = KEYS[1]
local id, attempt, version, following, body = unpack(ARGV)

local kept = redis.call('HGET', records, id)
if not kept then
  return 'not found'
end
local last, has, client, created = string.match(kept, '^([^\255]*)\255([^\255]*)\255([^\255]*)\255([^\255]*)')
if last == attempt then
  -- The client library sends a script again if its answer was lost.
  return 'updated'
end
if has ~= version then
  return 'conflict'
end
redis.call('HSET', records, id, table.concat({attempt, following, client, created, body}, '\255'))
return 'updated'
