-- Returns a document and then the numbers of its cut-offs.

local doc = redis.call('GET', KEYS[1])
if not doc then
  return false
end
local names = {}
covering((parse(doc)), function(home, member) names[#names + 1] = home .. 'c:' .. member end)
if #names == 0 then
  return {doc}
end
return {doc, unpack(redis.call('MGET', unpack(names)))}
