-- Removes a grant if it is dead, or else what is dead on it.

local grant, tag, application, due, salts = unpack(KEYS)
local member, before, rotated_before = unpack(ARGV)

local function remove()
  return redis.call('DEL', grant) + redis.call('ZREM', due, member) + redis.call('ZREM', salts, member) +
    redis.call('ZREM', tag, id(member)) + redis.call('ZREM', application, id(member))
end

local a, v, w = unpack(redis.call('HMGET', grant, 'a', 'v', 'w'))
if not a then
  -- Redis has let the grant go, and this is what is left of it.
  return math.min(remove(), 1)
end
if v and tonumber(v) <= tonumber(before) then
  remove()
  return 1
end

local touched = false
if w and rotated_before ~= '' and tonumber(w) < tonumber(rotated_before) then
  forget_salt(grant, salts, member)
  touched = true
end
local expired, lives, soonest = tidy(grant, tonumber(before))
if not lives then
  remove()
  return 1
end
redis.call('ZADD', due, earlier(soonest, v), member)
return (touched or expired) and 1 or 0
