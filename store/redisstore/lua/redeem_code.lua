-- Spends a code and keeps the tokens that are issued for it.

local grant, application, due, salts = unpack(KEYS)
local attempt, member, app, at = unpack(ARGV, 1, 4)
local hash, redirect, unnamed, challenge, resource = unpack(ARGV, 5, 9)
local access, access_expires, refresh, refresh_expires = unpack(ARGV, 10, 13)

local h, a, d, o, p, q, k, v, r, e, x =
  unpack(redis.call('HMGET', grant, 'h', 'a', 'd', 'o', 'p', 'q', 'k', 'v', 'r', 'e', 'x'))

if h ~= hash then
  return {'not found'}
end
if a ~= app or (p or '') ~= challenge or not (d == redirect or (o and unnamed == '1')) then
  return {'mismatch'}
end
if v then
  return {'revoked'}
end
if k == attempt then
  -- The client library sends a script again if its answer was lost. It is
  -- not the application that comes twice then.
  return {'redeemed', record(grant), parts(redis.call('HGET', grant, 'A' .. access) or '')[2] or access_expires}
end
if k then
  revoke(grant, due, salts, application, member, at)
  return {'reused'}
end
if tonumber(q) <= tonumber(at) then
  return {'expired'}
end
if resource ~= '' and resource ~= r then
  return {'resource'}
end

access_expires = earlier(access_expires, e)
x = later(x, access_expires)
redis.call('HSET', grant, 'k', attempt, 'A' .. access, at .. '\255' .. access_expires)
schedule(due, member, access_expires)
if refresh ~= '' then
  refresh_expires = earlier(refresh_expires, e)
  x = later(x, refresh_expires)
  redis.call('HSET', grant, 'rh', refresh, 'ri', at, 'rx', refresh_expires)
  schedule(due, member, refresh_expires)
end
redis.call('HSET', grant, 'x', x)
stay(grant, x, at)
return {'redeemed', record(grant), access_expires}
