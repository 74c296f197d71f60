-- Keeps a new grant, its code or its token, and the user's consent.

local grant, tag, application, due, consents, consenters = unpack(KEYS)
local attempt, member, user, app, created = unpack(ARGV, 1, 5)
local scopes, resource, agreed_at, revoked = unpack(ARGV, 6, 9)
local latest, first = unpack(ARGV, 10, 11) -- of the times at which something on it expires
local FIELDS = 12 -- where the fields of the grant begin

if redis.call('EXISTS', grant) == 1 then
  -- The client library sends a script again if its answer was lost.
  if redis.call('HGET', grant, 'n') == attempt then
    return 'created'
  end
  return 'exists'
end

redis.call('HSET', grant, 'n', attempt, 'x', latest, unpack(ARGV, FIELDS))
stay(grant, latest, created)
redis.call('ZADD', tag, 0, id(member))
redis.call('ZADD', due, first, member)
if revoked == '' then
  redis.call('ZADD', application, created, id(member))
end

local c = {created, created, '', '', '', ''}
local kept = redis.call('HGET', consents, app)
if kept then
  c = parts(kept)
end
c[2] = created -- last used
c[5] = union(c[5], scopes)
if agreed_at ~= '' then
  if c[3] ~= '' and c[4] == resource then
    c[6] = union(c[6], scopes)
  else
    c[6] = scopes
  end
  c[3], c[4] = agreed_at, resource
end
redis.call('HSET', consents, app, table.concat(c, '\255'))
redis.call('SADD', consenters, user)
return 'created'
