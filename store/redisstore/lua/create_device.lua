-- Keeps a new device authorization, if its id and its user code are free.
--
-- It is one Redis hash:
--
--   a s r   application, scopes, resource
--   h u j   the hashes of the device code, the user code and the grant's code
--   c e     when created, expires
--   i       the interval in microseconds
--   p k o   the last poll: when, by which attempt, "1" if it was too soon
--   d g     the decision: when, the grant's id
--   n       the attempt that created it
--
-- What is empty is left out.

local device, code, ends = unpack(KEYS)
local attempt, member, created, expires = unpack(ARGV, 1, 4)
local FIELDS = 5 -- where the fields of the device authorization begin

if redis.call('HGET', device, 'n') == attempt then
  -- The client library sends a script again if its answer was lost.
  return 'created'
end
if redis.call('EXISTS', device, code) > 0 then
  return 'exists'
end
redis.call('HSET', device, 'n', attempt, unpack(ARGV, FIELDS))
redis.call('SET', code, id(member))
stay(device, expires, created)
stay(code, expires, created)
redis.call('ZADD', ends, expires, member)
return 'created'
