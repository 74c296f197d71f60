-- Notes that a device asked, and answers with what has become of its
-- authorization.

local device = KEYS[1]
local attempt, hash, app, slow_down, at = unpack(ARGV, 1, 5)
local FIELDS = 6 -- where the names of the fields that are answered begin

local h, a, i, p, k, o = unpack(redis.call('HMGET', device, 'h', 'a', 'i', 'p', 'k', 'o'))
if h ~= hash then
  return {'not found'}
end
if a ~= app then
  return {'mismatch'}
end

-- The client library sends a script again if its answer was lost. It is not
-- the device that asks twice then.
if k ~= attempt then
  o = ''
  if p and tonumber(at) - tonumber(p) < tonumber(i) then
    o = '1'
    redis.call('HINCRBY', device, 'i', slow_down)
  end
  redis.call('HSET', device, 'p', at, 'k', attempt, 'o', o)
end
return {o == '1' and 'too soon' or 'polled', redis.call('HMGET', device, unpack(ARGV, FIELDS))}
