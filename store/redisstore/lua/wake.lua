-- Makes the next sweep look at a cut-off, if there is one.

return redis.call('ZADD', KEYS[1], 'XX', 0, ARGV[1])
