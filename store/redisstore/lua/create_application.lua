-- Keeps a new application, if both of its ids are free.

local records, clients = unpack(KEYS)
local id, client, attempt, record = unpack(ARGV)

local kept = redis.call('HGET', records, id)
if kept and string.match(kept, '^[^\255]*') == attempt then
  -- The client library sends a script again if its answer was lost.
  return 'created'
end
if kept or redis.call('HEXISTS', clients, client) == 1 then
  return 'exists'
end
redis.call('HSET', records, id, record)
redis.call('HSET', clients, client, id)
return 'created'
