-- Finds an application by its client ID.

local records, clients = unpack(KEYS)

local id = redis.call('HGET', clients, ARGV[1])
return id and {id, redis.call('HGET', records, id)}
