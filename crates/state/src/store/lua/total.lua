-- Reads a total, or changes it. KEYS: one. ARGV: `get`, `set` or `add`, how many, and for how many
-- milliseconds the total matters. Answers the total.
local used = tonumber(redis.call('GET', KEYS[1]) or 0) or 0
if ARGV[1] ~= 'get' then
  used = tonumber(ARGV[2]) + (ARGV[1] == 'add' and used or 0)
  used = math.max(0, math.min(used, 9007199254740992))
  redis.call('SET', KEYS[1], string.format('%.0f', used), 'PX', ARGV[3])
end
return used
