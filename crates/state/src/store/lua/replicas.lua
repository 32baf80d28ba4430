-- Counts who is there. KEYS[1]: a sorted set of names by when each was last heard of, in milliseconds.
-- ARGV: a name, after how many milliseconds of silence one is gone, and 1 if this one leaves.
-- Answers {how many there are}.
local time = redis.call('TIME')
local now, silence = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000), tonumber(ARGV[2])
if ARGV[3] == '1' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], now, ARGV[1])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. string.format('%.0f', now - silence))
redis.call('PEXPIRE', KEYS[1], silence)
return {redis.call('ZCARD', KEYS[1])}
