-- Deletes an application, if there is one.

local records, clients = unpack(KEYS)
local id = ARGV[1]

local kept = redis.call('HGET', records, id)
if kept then
  redis.call('HDEL', records, id)
  redis.call('HDEL', clients, (string.match(kept, '^[^\255]*\255[^\255]*\255([^\255]*)')))
end
return 'deleted'
