-- Sets the number of a cut-off to the one given, or to the current one plus one
-- if that is greater. It is stored as 20 digits and the attempt that wrote it (4
-- bytes). A sweep that has removed everything that was cut off appends to it.

local cutoff, cuts = unpack(KEYS)
local number, attempt, member, look = unpack(ARGV)

-- A Lua number has only 53 bits, so it comes in two halves.
local function halves(digits) return tonumber(string.sub(digits, 1, 10)), tonumber(string.sub(digits, 11, 20)) end

local kept = redis.call('GET', cutoff)
if kept then
  if string.sub(kept, 21, 24) == attempt then
    return 1 -- The client library sends a script again if its answer was lost.
  end
  local high, low = halves(kept)
  low = low + 1
  if low == 1e10 then
    high, low = high + 1, 0
  end
  local h, l = halves(number)
  if h < high or h == high and l < low then
    number = string.format('%010.0f%010.0f', high, low)
  end
end
redis.call('SET', cutoff, number .. attempt)
redis.call('ZADD', cuts, look, member)
return 1
