-- Removes a device authorization that has expired.

local device, code, ends = unpack(KEYS)
local member, id, before = unpack(ARGV)

local expires = redis.call('ZSCORE', ends, member)
if not expires or tonumber(expires) > tonumber(before) then
  return 0
end
redis.call('ZREM', ends, member)
-- If Redis has let it go before, its user code may be another's by now.
if redis.call('GET', code) == id then
  redis.call('DEL', code)
end
return redis.call('DEL', device)
