-- Ends a token at its application's wish.

local grant, application, due, salts = unpack(KEYS)
local member, app, at, hash = unpack(ARGV)

local a, v, rh, ph, spent, access = unpack(redis.call('HMGET', grant,
  'a', 'v', 'rh', 'ph', 'S' .. string.sub(hash, 1, 8), 'A' .. hash))
local refresh = rh == hash or ph == hash or spent
if not access and not refresh then
  return 'done'
end
if a ~= app then
  return 'mismatch'
end
if access then
  redis.call('HDEL', grant, 'A' .. hash)
  -- It may have been the last thing that lived on the grant.
  schedule(due, member, '-inf')
elseif not v then
  revoke(grant, due, salts, application, member, at)
end
return 'done'
