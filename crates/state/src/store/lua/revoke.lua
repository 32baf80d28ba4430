-- Revokes, or takes that back. KEYS: a hash of what the list is called and where it stands (`id`, `turn`,
-- `last`); sorted sets of entries by when they end, and by their numbers; a hash of entries and up to when
-- they mean what was issued. ARGV: `add` or `remove`, a name for a list that is not there yet, how many
-- entries there may be, and for each entry its id, that second, and its end.
-- Answers {how many there was no room for} or {how many were removed}.
local head, ends, numbers, means = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local room, count = tonumber(ARGV[3]), 0
redis.call('HSETNX', head, 'id', ARGV[2])
for at = 4, #ARGV, 3 do
  local id, before, over = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local known = redis.call('ZSCORE', ends, id)
  if ARGV[1] == 'remove' then
    if known then
      count = count + 1
      redis.call('ZREM', ends, id)
      redis.call('ZREM', numbers, id)
      redis.call('HDEL', means, id)
    end
  elseif not known and redis.call('ZCARD', ends) >= room then
    count = count + 1
  else
    over = math.max(over, tonumber(known or 0))
    before = math.max(before, tonumber(redis.call('HGET', means, id) or 0))
    redis.call('ZADD', ends, string.format('%.0f', over), id)
    redis.call('ZADD', numbers, redis.call('HINCRBY', head, 'last', 1), id)
    redis.call('HSET', means, id, string.format('%.0f', before))
  end
end
if ARGV[1] == 'remove' and count > 0 then
  redis.call('HINCRBY', head, 'turn', 1)
end
return {count}
