-- Removes a cut-off that hasn't changed, or stores it in a new form and sets when
-- to look at it again. Returns 1 if it no longer exists.

local cutoff, cuts = unpack(KEYS)
local expected, member, form, look = unpack(ARGV)

local kept = redis.call('GET', cutoff)
if kept and kept ~= expected then
  return 0
end
if kept and look then
  redis.call('SET', cutoff, form)
  redis.call('ZADD', cuts, look, member)
  return 0
end
redis.call('DEL', cutoff)
redis.call('ZREM', cuts, member)
return 1
