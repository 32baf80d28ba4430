-- Spends of all limits or of none. KEYS: one a limit. ARGV: six a limit: what the rate means (b: token
-- bucket, s: sliding window, f: fixed window, t: total), its count, its time in microseconds, the most at
-- once, the cost, and 1 for a dry run.
-- Answers {0, left, reset, …} with two numbers a limit (left is -1 where a dry run would refuse), or
-- {limit, left, after} with the place of the limit that refuses for longest. Times are milliseconds;
-- after is -1 where it never suffices.
local answer, writes, refused = {0}, {}, nil
for i, key in ipairs(KEYS) do
  local a = (i - 1) * 6
  local kind, count, per = ARGV[a + 1], tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3])
  local most, cost, dry = tonumber(ARGV[a + 4]), tonumber(ARGV[a + 5]), ARGV[a + 6] == '1'
  local kept = redis.call('GET', key)
  local state, left, after, life = spend(kind, kept, count, per, most, cost)
  if state then
    writes[#writes + 1] = {key, state, math.ceil(life / 1000) + 1000}
  elseif not dry then
    local longer = not refused or (refused[3] >= 0 and (after < 0 or after > refused[3]))
    if longer then refused = {i, left, after} end
  end
  answer[#answer + 1] = state and left or -1
  answer[#answer + 1] = math.ceil(after / 1000)
end
if refused then
  if refused[3] > 0 then refused[3] = math.ceil(refused[3] / 1000) end
  return refused
end
for _, write in ipairs(writes) do
  redis.call('SET', write[1], write[2], 'PX', write[3])
end
return answer
