-- Notes what a user has decided, unless somebody has decided before.

local device = KEYS[1]
local grant, at = unpack(ARGV)

local e, d, g = unpack(redis.call('HMGET', device, 'e', 'd', 'g'))
if not e then
  return 'not found'
end
if d then
  -- The client library sends a script again if its answer was lost, and so may
  -- the caller.
  return (g or '') == grant and 'decided' or 'conflict'
end
if tonumber(e) <= tonumber(at) then
  return 'expired'
end
redis.call('HSET', device, 'd', at)
if grant ~= '' then
  redis.call('HSET', device, 'g', grant)
end
return 'decided'
