-- Revokes some grants of one application in one shard. Once none is left, it
-- deletes consents to the application: to do so earlier could leave a grant
-- without the consent that came with it.

local due, salts, application, consenters = unpack(KEYS, 1, 4)
local GRANTS = 4 -- where the keys of the grants begin, then those of the users' consents
local app, at = ARGV[1], ARGV[2]
local revocable, users = tonumber(ARGV[3]), tonumber(ARGV[4])
local MEMBERS = 4 -- where the members of the grants begin, then the users

local revoked = 0
for i = 1, revocable do
  local grant, member = KEYS[GRANTS + i], ARGV[MEMBERS + i]
  local a, v = unpack(redis.call('HMGET', grant, 'a', 'v'))
  if a and not v then
    revoke(grant, due, salts, application, member, at)
    revoked = revoked + 1
  else
    redis.call('ZREM', application, id(member)) -- Redis has let the grant go.
  end
end

local left = redis.call('ZCARD', application)
if left == 0 then
  for i = 1, users do
    redis.call('HDEL', KEYS[GRANTS + revocable + i], app)
    redis.call('SREM', consenters, ARGV[MEMBERS + revocable + i])
  end
end
return {revoked, left + redis.call('SCARD', consenters)}
