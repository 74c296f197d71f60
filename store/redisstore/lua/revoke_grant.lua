-- Revokes one grant.

local grant, application, due, salts = unpack(KEYS)
local member, at = unpack(ARGV)

local a, v = unpack(redis.call('HMGET', grant, 'a', 'v'))
if not a or v then
  return 0
end
revoke(grant, due, salts, application, member, at)
return 1
