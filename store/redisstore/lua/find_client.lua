-- Finds an application by its client id.

local records, clients = unpack(KEYS)

local id = redis.call('HGET', clients, ARGV[1])
if not id then
  return {}
end
return {id, redis.call('HGET', records, id)}
