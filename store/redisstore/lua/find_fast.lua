-- Returns a document and the numbers of its cut-offs. Nearly every document is
-- about a user and an application and no workspace. For those this part runs
-- before the functions are defined, which would take a third of the time.

local doc = redis.call('GET', KEYS[1])
if not doc then
  return false
end
if ALONE then
  local _, shard, _, user, app, workspace = struct.unpack('>BHHHc0Hc0Hc0', doc, 37)
  if user ~= '' and app ~= '' and workspace == '' then
    local prefix, home = string.sub(KEYS[1], 1, -25), string.sub(KEYS[1], 1, -19)
    home, app = home .. 'c:' .. #user .. ':' .. user, #app .. ':' .. app
    return {doc, unpack(redis.call('MGET', prefix .. '{000}:c:0:0:0:', home .. '0:0:',
      prefix .. string.format('{%03x}:c:0:', shard) .. app .. '0:', home .. app .. '0:'))}
  end
end
