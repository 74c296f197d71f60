-- An application is stored as the attempt that wrote it last, its version, its
-- client ID, when it was created and updated, its owner, its origin, and the
-- rest, separated by \255, which never occurs in UTF-8. All its keys are in one
-- slot.

local base = string.sub(KEYS[1], 1, -#'records' - 1)

local function parse(record)
  local a = {}
  a.attempt, a.version, a.client, a.created, a.updated, a.owner, a.origin, a.rest = string.match(record,
    '^([^\255]*)\255([^\255]*)\255([^\255]*)\255([^\255]*)\255([^\255]*)\255([^\255]*)\255([^\255]*)\255(.*)$')
  return a
end

local function join(a)
  return table.concat({a.attempt, a.version, a.client, a.created, a.updated, a.owner, a.origin, a.rest}, '\255')
end

-- index calls f with each index that has the application, and its entry there.
local function index(a, id, f)
  f(base .. 'created', a.created .. id)
  f(base .. 'origin:' .. a.origin, a.updated .. id)
  if a.owner ~= '' then
    f(base .. 'owner:' .. a.owner, a.created .. id)
  end
end

local function add(key, entry) redis.call('ZADD', key, 0, entry) end

local function drop(key, entry) redis.call('ZREM', key, entry) end
