-- Spends of all limits or of none. KEYS: one a limit. ARGV: six a limit: what the rate means (b: token
-- bucket, s: sliding window, f: fixed window), its count, its time in microseconds, the most at once,
-- the cost, and 1 for a dry run.
-- Answers {0, left, reset, …} with two numbers a limit (left is -1 where a dry run would refuse), or
-- {limit, left, after} with the place of the limit that refuses for longest. Times are milliseconds;
-- after is -1 where it never suffices.
local time = redis.call('TIME')
local clock = tonumber(time[1]) * 1000000 + tonumber(time[2])

-- The state is the time at which the bucket is full, since 2026: a double then holds 2^-8 us.
local EPOCH = 1767225600000000
local function bucket(kept, count, per, most, cost)
  local now, step = clock - EPOCH, per / count
  local full = math.max(now, tonumber(kept or now) or now)
  local slack, depth = math.min(0.5, step / 2), most * step
  local after = full + cost * step
  local left = math.max(0, math.floor((depth - (full - now) + slack) / step))
  if cost > most then return nil, left, -1 end
  if after - now > depth + slack then return nil, left, after - now - depth end
  left = math.max(0, math.floor((depth - (after - now) + slack) / step))
  return string.format('%.3f', after), left, after - now, after - now
end

-- The state is the number of the window since 1970, its count, and that of the window before.
local function windows(kind, kept, per, most, cost)
  local window = math.floor(clock / per)
  local passed, here, before = clock - window * per, 0, 0
  local known, count, last = string.match(kept or '', '^(%d+) (%d+) (%d+)$')
  known = tonumber(known)
  if known and known >= window then
    if known > window then window, passed = known, 0 end
    here, before = tonumber(count), tonumber(last)
  elseif known and known == window - 1 then
    before = tonumber(count)
  end
  local covered = 0
  if kind == 's' then covered = before * (per - passed) / per end
  local left = math.max(0, math.floor(most - covered - here + 1e-6))
  if cost > most then return nil, left, -1 end
  if cost > left then
    if kind == 'f' then return nil, left, per - passed end
    if here + cost <= most then
      return nil, left, per - (most - here - cost) * per / before - passed
    end
    return nil, left, 2 * per - passed - (most - cost) * per / math.max(here, 1)
  end
  local state = string.format('%.0f %.0f %.0f', window, here + cost, before)
  return state, left - cost, per - passed, 2 * per
end

local answer, writes, refused = {0}, {}, nil
for i, key in ipairs(KEYS) do
  local a = (i - 1) * 6
  local kind, count, per = ARGV[a + 1], tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3])
  local most, cost, dry = tonumber(ARGV[a + 4]), tonumber(ARGV[a + 5]), ARGV[a + 6] == '1'
  local kept = redis.call('GET', key)
  local state, left, after, life
  if kind == 'b' then
    state, left, after, life = bucket(kept, count, per, most, cost)
  else
    state, left, after, life = windows(kind, kept, per, most, cost)
  end
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
