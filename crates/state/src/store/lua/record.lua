-- Writes records: named texts. KEYS: a hash of what the list is called and where it stands (`id`, `last`,
-- `floor`: up to which number removals are forgotten); a hash of names and texts; a sorted set of names by
-- the number of their last change; one of those that are gone. ARGV: a name for a list that is not there
-- yet, how many records there may be, how many removals are kept, and for each record its name, its number
-- (empty for the next one; one that is given counts only where it is newer), the number that it must have
-- now (empty for any, 0 for none), its text (empty to remove it).
-- Answers for each record its number, 0 where there is no room, -1 where it has another number than it
-- must have, -2 where there is none to remove.
local head, texts, numbers, gone = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local room, kept = tonumber(ARGV[2]), tonumber(ARGV[3])
local answer = {}
redis.call('HSETNX', head, 'id', ARGV[1])
for at = 4, #ARGV, 4 do
  local name, number, expected, text = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), ARGV[at + 3]
  local known = tonumber(redis.call('ZSCORE', numbers, name) or 0)
  local there = redis.call('HEXISTS', texts, name) == 1
  local outcome
  if expected and expected ~= (there and known or 0) then
    outcome = -1
  elseif number and number <= known then
    outcome = known
  elseif not number and text == '' and not there then
    outcome = -2
  elseif text ~= '' and not there and redis.call('HLEN', texts) >= room then
    outcome = 0
  else
    local last = tonumber(redis.call('HGET', head, 'last') or 0)
    number = number or last + 1
    redis.call('HSET', head, 'last', string.format('%.0f', math.max(last, number)))
    redis.call('ZADD', numbers, string.format('%.0f', number), name)
    if text == '' then
      redis.call('HDEL', texts, name)
      redis.call('ZADD', gone, string.format('%.0f', number), name)
    else
      redis.call('HSET', texts, name, text)
      redis.call('ZREM', gone, name)
    end
    outcome = number
  end
  answer[#answer + 1] = outcome
end
local over = redis.call('ZCARD', gone) - kept
if over > 0 then
  local oldest = redis.call('ZPOPMIN', gone, over)
  for at = 1, #oldest, 2 do
    redis.call('ZREM', numbers, oldest[at])
    redis.call('HSET', head, 'floor', oldest[at + 1])
  end
end
return answer
