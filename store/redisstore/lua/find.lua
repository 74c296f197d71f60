-- The same for all other documents.

local names = {}
covering((parse(doc)), function(home, member) names[#names + 1] = home .. 'c:' .. member end)
if #names == 0 then
  return {doc}
end
return {doc, unpack(redis.call('MGET', unpack(names)))}
