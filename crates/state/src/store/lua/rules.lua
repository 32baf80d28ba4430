-- What limits mean; every script begins with this. Times are microseconds by the clock of the server.
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

-- The same states, with so much spent of them that was not used.
local function unspent(kind, kept, count, per, cost)
  if kind == 'b' then
    local full = tonumber(kept)
    return full and string.format('%.3f', full - cost * per / count)
  end
  if kind == 't' then
    local used = tonumber(kept)
    return used and string.format('%.0f', math.max(0, used - cost))
  end
  local known, here, before = string.match(kept, '^(%d+) (%d+) (%d+)$')
  if not known then return nil end
  here, before = tonumber(here), tonumber(before)
  local now = math.min(here, cost)
  before = math.max(0, before - (cost - now))
  return string.format('%.0f %.0f %.0f', tonumber(known), here - now, before)
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

-- The state is the sum; it is forgotten some time after the period is over.
local function total(kept, per, most, cost)
  local used = tonumber(kept or 0) or 0
  local left = math.max(0, most - used)
  if cost > left then return nil, left, per end
  return string.format('%.0f', used + cost), left - cost, per, per + 86400000000
end

-- A spending of a limit: the state after it, what is left, when all is there again, how long the state
-- matters; or nil, what is left, and when it suffices.
local function spend(kind, kept, count, per, most, cost)
  if kind == 'b' then return bucket(kept, count, per, most, cost) end
  if kind == 't' then return total(kept, per, most, cost) end
  return windows(kind, kept, per, most, cost)
end
