-- A document is its mark (8 bytes), when it ended (8), when it may be swept (8),
-- the attempt that wrote it (4), and its subject: when it was created (8), its
-- kind (1), the shards of its application and workspace (2 each), and its user,
-- application, and workspace, each after its length (2). The rest is for Go.
--
-- ALONE is true on a server that has all slots. On a cluster, a script can reach
-- only the keys of the document's shard, which is its user's.

local base, prefix = string.sub(KEYS[1], 1, -19), string.sub(KEYS[1], 1, -25)

local function shard(number) return prefix .. string.format('{%03x}:', number) end

local function parse(doc)
  local d, stop = {}
  d.kind, d.as, d.ws, d.u, d.a, d.w, stop = struct.unpack('>BHHHc0Hc0Hc0', doc, 37)
  return d, stop
end

-- covering calls f for each key of a cut-off that covers the document and that
-- this script can reach, with the prefix of its shard and its texts. The order is
-- that of store.Cuts.
local function covering(d, f)
  local u, a, w = #d.u .. ':' .. d.u, #d.a .. ':' .. d.a, #d.w .. ':' .. d.w
  local user, app, space = d.u ~= '', d.a ~= '', d.w ~= ''
  if ALONE then f(shard(0), '0:0:0:') end
  if user then f(base, u .. '0:0:') end
  if app and ALONE then f(shard(d.as), '0:' .. a .. '0:') end
  if app and user then f(base, u .. a .. '0:') end
  if space and ALONE then f(shard(d.ws), '0:0:' .. w) end
  if space and user then f(base, u .. '0:' .. w) end
  if space and app and ALONE then f(shard(d.as), '0:' .. a .. w) end
  if space and app and user then f(base, u .. a .. w) end
end
