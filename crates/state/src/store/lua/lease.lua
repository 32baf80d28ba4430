-- Takes of one limit ahead of need. KEYS: one. ARGV: what the rate means, its count, its time in
-- microseconds, the most at once, how many are needed, how many are wanted, and how many of an earlier
-- lease go back. More than are needed are taken only up to half of what there is, for others want some.
-- Answers {taken, left, reset}; or {0, left, after, first} where there are too few: after that time there
-- are enough, after the last there is one. Times are milliseconds; after is -1 where it never suffices.
local kind, count, per = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local most, need, want, back = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local kept = redis.call('GET', KEYS[1])
local returned = kept and back > 0 and unspent(kind, kept, count, per, back)
if returned then
  kept = returned
  redis.call('SET', KEYS[1], kept, 'PX', math.max(1, redis.call('PTTL', KEYS[1])))
end
local _, left = spend(kind, kept, count, per, most, 0)
local take = math.min(want, math.max(need, math.floor(left / 2)))
local state, rest, after, life = spend(kind, kept, count, per, most, take)
if state then
  redis.call('SET', KEYS[1], state, 'PX', math.ceil(life / 1000) + 1000)
  return {take, rest, math.ceil(after / 1000)}
end
local _, _, first = spend(kind, kept, count, per, most, 1)
if after > 0 then after = math.ceil(after / 1000) end
return {0, rest, after, math.ceil(math.max(0, first) / 1000)}
