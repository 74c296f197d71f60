-- Deletes an application, if it exists.

local records, clients = unpack(KEYS)
local id = ARGV[1]

local kept = redis.call('HGET', records, id)
if kept then
  local a = parse(kept)
  redis.call('HDEL', records, id)
  redis.call('HDEL', clients, a.client)
  index(a, id, drop)
end
return 'done'
