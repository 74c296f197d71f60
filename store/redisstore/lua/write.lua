-- Functions for the scripts that write documents.

local NONE, NEVER = string.rep('\0', 8), string.rep('\255', 8)

-- due_entry represents a document in the order in which documents may be swept.
local function due_entry(sweep, id) return (sweep == NONE and NEVER or sweep) .. id end

local function parse_all(doc)
  local d, stop = parse(doc)
  d.ended, d.sweep, d.created = string.sub(doc, 9, 16), string.sub(doc, 17, 24), string.sub(doc, 29, 36)
  d.constant = string.sub(doc, 37, stop - 1)
  return d
end

-- index calls ZADD or ZREM on each index of the document that this script can
-- reach.
local function index(command, d, created, id)
  local entry = string.char(d.kind) .. created .. id
  local function call(owner, key)
    if owner == '' then
      return
    elseif command == 'ZADD' then
      redis.call('ZADD', key .. owner, 0, entry)
    else
      redis.call('ZREM', key .. owner, entry)
    end
  end
  call(d.u, base .. 'u:')
  if ALONE then
    call(d.a, shard(d.as) .. 'a:')
    call(d.w, shard(d.ws) .. 'w:')
  end
end
