-- Replaces the current refresh token by its successor and keeps the new access
-- token, or answers a retry.

local grant, application, due, salts = unpack(KEYS)
local attempt, member, app, at = unpack(ARGV, 1, 4)
local hash, scopes, resource, salt, grace = unpack(ARGV, 5, 9)
local access, access_expires, refresh, refresh_expires = unpack(ARGV, 10, 13)

local a, s, r, e, v, x, n, rh, ri, rx, ph, px, w, z, y, spent = unpack(redis.call('HMGET', grant,
  'a', 's', 'r', 'e', 'v', 'x', 'n', 'rh', 'ri', 'rx', 'ph', 'px', 'w', 'z', 'y', 'S' .. string.sub(hash, 1, 8)))
s, r = s or '', r or ''

local current, previous = rh == hash, ph == hash
if not (current or previous or spent) then
  return {'not found'}
end
if a ~= app then
  return {'mismatch'}
end
if v then
  return {'revoked'}
end

local now = tonumber(at)
if previous and w and n == attempt then
  -- The client library sends a script again if its answer was lost.
  return {'rotated', record(grant), parts(y)[2]}
end
if previous and w and math.abs(now - tonumber(w)) <= tonumber(grace) then -- never where the grace is -1
  if (scopes ~= '' and scopes or s) ~= (parts(y)[3] or s) then
    return {'differs'}
  end
  if resource ~= '' and resource ~= r then
    return {'resource'}
  end
  return {'retried', record(grant), y, z}
end
if not current then
  revoke(grant, due, salts, application, member, at)
  return {'reused'}
end
if tonumber(rx) <= now then
  return {'expired'}
end
if not contains(s, scopes) then
  return {'scope'}
end
if resource ~= '' and resource ~= r then
  return {'resource'}
end

-- A grant that is refreshed for years must not grow, even if no cleanup runs.
local first = redis.call('ZSCORE', due, member)
forget_salt(grant, salts, member)
if first and tonumber(first) <= now - SLACK then
  local _, _, soonest = tidy(grant, now - SLACK)
  redis.call('ZADD', due, soonest, member)
end
if ph and tonumber(px) > now - SLACK then
  redis.call('HSET', grant, 'S' .. string.sub(ph, 1, 8), px)
  schedule(due, member, px)
end

access_expires, refresh_expires = earlier(access_expires, e), earlier(refresh_expires, e)
x = later(x, later(access_expires, refresh_expires))
local token = at .. '\255' .. access_expires
if scopes ~= '' and scopes ~= s then
  token = token .. '\255' .. scopes
end
redis.call('HSET', grant, 'n', attempt, 'l', at, 'x', x,
  'ph', rh, 'pi', ri, 'px', rx, 'w', at, 'z', salt, 'y', token,
  'rh', refresh, 'ri', at, 'rx', refresh_expires, 'A' .. access, token)
redis.call('ZADD', salts, at, member)
schedule(due, member, access_expires)
schedule(due, member, refresh_expires)
stay(grant, x, at)
return {'rotated', record(grant), access_expires}
