-- Tells records that have changed. KEYS: as for `record.lua`. ARGV: what is known already (the name of the
-- list, the number of the last record, the floor), how many are wanted at most, and about how many bytes.
-- Answers {its name, the number of the last one told, of the last there is, its floor, and for each record
-- its name, its number, its text, which is empty where it is gone}; all are told anew to who knows of
-- another list, or of less than what removals are remembered of.
local head, texts, numbers = KEYS[1], KEYS[2], KEYS[3]
local about = redis.call('HMGET', head, 'id', 'last', 'floor')
local id, last, floor = about[1] or '', tonumber(about[2] or 0), about[3] or '0'
local from = tonumber(ARGV[2])
if id ~= ARGV[1] or from > last or (from < tonumber(floor) and floor ~= ARGV[3]) then
  from = 0
end
local answer = {id, '', string.format('%.0f', last), floor}
local found = redis.call('ZRANGEBYSCORE', numbers, string.format('(%.0f', from), '+inf', 'WITHSCORES', 'LIMIT', 0, tonumber(ARGV[4]))
local bytes, at = 0, 1
while at <= #found and bytes < tonumber(ARGV[5]) do
  local text = redis.call('HGET', texts, found[at]) or ''
  answer[#answer + 1] = found[at]
  answer[#answer + 1] = found[at + 1]
  answer[#answer + 1] = text
  bytes = bytes + #text
  from = tonumber(found[at + 1])
  at = at + 2
end
if #found < 2 * tonumber(ARGV[4]) and at > #found then
  from = last
end
answer[2] = string.format('%.0f', from)
return answer
