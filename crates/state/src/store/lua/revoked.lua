-- What is revoked. KEYS: as for `revoke.lua`. ARGV: what of the list is known already (its name, its turn,
-- the number of its last entry), and how many entries are wanted at most.
-- Answers {its name, its turn, the number of the last entry told, of the last there is, and for each
-- entry its id, its second, its end}; all are told anew to who knows of another name or turn.
local head, ends, numbers, means = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
for _, id in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', redis.call('TIME')[1], 'LIMIT', 0, 1000)) do
  redis.call('ZREM', ends, id)
  redis.call('ZREM', numbers, id)
  redis.call('HDEL', means, id)
end
local about = redis.call('HMGET', head, 'id', 'turn', 'last')
local id, turn, last = about[1] or '', about[2] or '0', tonumber(about[3] or 0)
local from = tonumber(ARGV[3])
if id ~= ARGV[1] or turn ~= ARGV[2] or from > last then
  from = 0
end
local answer = {id, turn, '', string.format('%.0f', last)}
local told = redis.call('ZRANGEBYSCORE', numbers, string.format('(%.0f', from), '+inf', 'WITHSCORES', 'LIMIT', 0, tonumber(ARGV[4]))
for at = 1, #told, 2 do
  local entry = told[at]
  answer[#answer + 1] = entry
  answer[#answer + 1] = redis.call('HGET', means, entry) or '0'
  answer[#answer + 1] = redis.call('ZSCORE', ends, entry) or '0'
  from = tonumber(told[at + 1])
end
if #told < 2 * tonumber(ARGV[4]) then
  from = last
end
answer[3] = string.format('%.0f', from)
return answer
