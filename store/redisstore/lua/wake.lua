-- Makes the next sweep look at a cut-off, if it exists.

return redis.call('ZADD', KEYS[1], 'XX', 0, ARGV[1])
