-- Revokes grants of one user and deletes consents of the user, if nothing that
-- should be among them has come since the caller looked.

local due, salts, tag, consents = unpack(KEYS, 1, 4)
local GRANTS = 4 -- where the keys of the grants begin, two for each: itself and the index of its application
local at, user = ARGV[1], ARGV[2]
local known, revocable, apps = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local whole = ARGV[6] == '1' -- all consents of the user go, not only those that are named
local KNOWN = 6 -- where all members of the index of the tag begin, then those of the grants, then the applications

local seen = {}
for i = 1, known do
  seen[ARGV[KNOWN + i]] = true
end
for _, other in ipairs(redis.call('ZRANGE', tag, 0, -1)) do
  if not seen[other] then
    return -1
  end
end
local MEMBERS = KNOWN + known
local APPS = MEMBERS + revocable
if whole then
  local named = {}
  for i = 1, apps do
    named[ARGV[APPS + i]] = true
  end
  for _, app in ipairs(redis.call('HKEYS', consents)) do
    if not named[app] then
      return -1
    end
  end
end

local revoked = 0
for i = 1, revocable do
  local grant, application = KEYS[GRANTS + 2 * i - 1], KEYS[GRANTS + 2 * i]
  local u, v = unpack(redis.call('HMGET', grant, 'u', 'v'))
  if u and not v then
    revoke(grant, due, salts, application, ARGV[MEMBERS + i], at)
    revoked = revoked + 1
  end
end
local CONSENTERS = GRANTS + 2 * revocable
for i = 1, apps do
  redis.call('HDEL', consents, ARGV[APPS + i])
  redis.call('SREM', KEYS[CONSENTERS + i], user)
end
return revoked
