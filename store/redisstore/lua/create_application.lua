-- Stores a new application if both of its IDs are free.

local records, clients = unpack(KEYS)
local id, record = unpack(ARGV)

local a = parse(record)
local kept = redis.call('HGET', records, id)
if kept and parse(kept).attempt == a.attempt then
  return 'done' -- The client library sends a script again if its answer was lost.
end
if kept or redis.call('HEXISTS', clients, a.client) == 1 then
  return 'exists'
end
redis.call('HSET', records, id, record)
redis.call('HSET', clients, a.client, id)
index(a, id, add)
return 'done'
