-- Gives back what was spent of limits and not used. KEYS: one a limit. ARGV: four a limit: what the rate
-- means, its count, its time in microseconds, and how many. Answers {how many limits there were}.
for i, key in ipairs(KEYS) do
  local a = (i - 1) * 4
  local kept = redis.call('GET', key)
  local state = kept and unspent(ARGV[a + 1], kept, tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3]), tonumber(ARGV[a + 4]))
  if state then redis.call('SET', key, state, 'PX', math.max(1, redis.call('PTTL', key))) end
end
return {#KEYS}
