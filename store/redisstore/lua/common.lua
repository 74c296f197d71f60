-- What the scripts of the grants have in common. It stands before each of
-- them, so that every one is whole by itself. One of the device authorizations
-- has it too, and keeps times, sets and what is empty in the same way.
--
-- A grant is one Redis hash, with everything that hangs from it:
--
--   u a s r     user, application, scopes, resource
--   c l g e v   when created, last used, agreed, expires, revoked
--   x           the latest expiry of anything that was ever on it
--   n           the attempt that created it or rotated it last
--   h d o p q   the code: its hash, the hash of its redirect URI, "1" if that
--               may be left out, its challenge, when it expires
--   k           the attempt that redeemed it
--   rh ri rx    the current refresh token: hash, issued, expires
--   ph pi px    the previous one, which was rotated last
--   w z y       when that was, by which salt, and the access token it brought
--   A<hash>     an access token: issued, expires, and its scopes if they are
--               not the grant's
--   S<8 bytes>  the beginning of the hash of a refresh token that was rotated
--               away before the previous one, with its expiry
--
-- What is empty is left out. Times are whole microseconds since 1970, which
-- the numbers of Lua hold exactly until the year 2255. They are kept and
-- returned as the texts they came as and become numbers only to be compared,
-- because Lua would write a number this long with too few digits.
--
-- A set of scopes is its names, each ended by NUL, which no text contains.
-- Where several texts are kept in one they are joined by the byte 255, which
-- does not occur in UTF-8.

local GRANT = {'u', 'a', 's', 'r', 'c', 'l', 'g', 'e', 'v'}

-- A grant outlives what is on it by a day, so that no difference between the
-- clock of Redis and those of the callers can take it too early.
local MARGIN = 24 * 60 * 60 * 1000

-- The times that two callers bring may be out of order by a minute.
local SLACK = 60 * 1000 * 1000

-- record returns the fields of the grant that the caller makes a record of.
local function record(grant)
  return redis.call('HMGET', grant, unpack(GRANT))
end

-- id returns the grant's id, with which its member of the indexes begins.
local function id(member)
  return string.sub(member, 1, 16)
end

-- parts returns the texts that were joined.
local function parts(joined)
  local list = {}
  for part in string.gmatch(joined .. '\255', '([^\255]*)\255') do
    list[#list + 1] = part
  end
  return list
end

-- names returns a set of scopes as a table with its names as keys.
local function names(set)
  local all = {}
  for name in string.gmatch(set, '([^%z]*)%z') do
    all[name] = true
  end
  return all
end

-- contains reports whether every name of other is in set.
local function contains(set, other)
  local all = names(set)
  for name in string.gmatch(other, '([^%z]*)%z') do
    if not all[name] then
      return false
    end
  end
  return true
end

-- union returns the names that are in either set. The caller sorts them:
-- the order of texts in Lua depends on the locale of the server.
local function union(set, other)
  local all = names(set)
  for name in string.gmatch(other, '([^%z]*)%z') do
    if not all[name] then
      set = set .. name .. '\0'
    end
  end
  return set
end

-- earlier and later return the one of two times, either of which may be
-- missing.
local function earlier(a, b)
  if not a or (b and tonumber(b) < tonumber(a)) then
    return b
  end
  return a
end

local function later(a, b)
  if not a or (b and tonumber(b) > tonumber(a)) then
    return b
  end
  return a
end

-- schedule sees to it that a cleanup looks at the grant at the time or before.
local function schedule(due, member, time)
  redis.call('ZADD', due, 'LT', time, member)
end

-- stay lets Redis keep a grant, or another key, as long as something on it may
-- live. The time is counted from that of the step, not from the clock of Redis,
-- which knows nothing of the callers' clocks.
local function stay(key, latest, at)
  local left = math.max(tonumber(latest) - tonumber(at), 0) / 1000 + MARGIN
  redis.call('PEXPIRE', key, string.format('%.0f', left))
end

-- forget_salt makes the previous refresh token one that is merely spent.
local function forget_salt(grant, salts, member)
  redis.call('HDEL', grant, 'w', 'z', 'y')
  redis.call('ZREM', salts, member)
end

-- revoke ends a grant that is not revoked. The index of its application only
-- has grants that are not.
local function revoke(grant, due, salts, application, member, at)
  redis.call('HSET', grant, 'v', at)
  forget_salt(grant, salts, member)
  redis.call('ZREM', application, id(member))
  schedule(due, member, at)
end

-- tidy removes from a grant what had expired by a time, which is a number. It
-- returns whether there was anything, whether something on the grant still
-- lives, and when the next thing on it expires. The previous refresh token
-- stays while it can be retried.
local function tidy(grant, by)
  local all, g, expired = redis.call('HGETALL', grant), {}, {}
  local lives, soonest = false, nil

  local function look(expires, counts, fields)
    if tonumber(expires) > by then
      lives = lives or counts
      soonest = earlier(soonest, expires)
      return
    end
    for _, field in ipairs(fields) do
      expired[#expired + 1] = field
    end
  end

  for i = 1, #all, 2 do
    local field, value = all[i], all[i + 1]
    g[field] = value
    local kind = string.sub(field, 1, 1)
    if kind == 'A' then
      look(parts(value)[2], true, {field})
    elseif kind == 'S' then
      look(value, false, {field})
    end
  end
  if g.q then
    look(g.q, not g.k, {'h', 'd', 'o', 'p', 'q', 'k'})
  end
  if g.rx then
    look(g.rx, true, {'rh', 'ri', 'rx'})
  end
  if g.px and not g.w then
    look(g.px, false, {'ph', 'pi', 'px'})
  end

  for _, field in ipairs(expired) do
    redis.call('HDEL', grant, field)
  end
  return #expired > 0, lives, soonest
end
