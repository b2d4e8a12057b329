package redisstore

// Everything a script compares is the server's own time, in microseconds.
// Numbers of that size go through string.format: Lua's own way would round
// them. A member's value is "<start> <record>", a command's "<id> <sealed>".

// beatScript notes a member and answers what is new for it.
//
// KEYS seen, members, commands, head, asked. ARGV replica, start (0 = the first
// beat), age, done, record, want (1 or 0), silence, kept for, life of a member's
// keys (ms), listen (1 or 0). It answers start, members alive, latest, missed (1
// or 0), commands, questions, its clock; the questions are gone then.
const beatScript = `
local function text(n) return string.format('%.0f', n) end
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local start = tonumber(ARGV[2])
if start == 0 then start = now - ARGV[3] end

local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. text(now - ARGV[7]))
for _, replica in ipairs(gone) do
  redis.call('ZREM', KEYS[1], replica)
  redis.call('HDEL', KEYS[2], replica)
end
redis.call('ZADD', KEYS[1], text(now), ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], text(start) .. ' ' .. ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[9])
redis.call('PEXPIRE', KEYS[2], ARGV[9])
local alive = redis.call('ZCARD', KEYS[1])

local head = redis.call('HMGET', KEYS[4], 'latest', 'lost')
local latest = tonumber(head[1] or '0')
local commands, missed = {}, 0
if ARGV[6] == '1' then
  local done = math.max(tonumber(ARGV[4]), start)
  local from = math.max(done, now - ARGV[8])
  -- no further than any of ours can be: nobody moves a replica past what is to come
  commands = redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. text(from), text(math.max(latest, now)))
  if tonumber(head[2] or '0') > done or (#commands == 0 and latest > done) then missed = 1 end
end
local asked = {}
if ARGV[10] == '1' then
  asked = redis.call('LRANGE', KEYS[5], 0, -1)
  if #asked > 0 then redis.call('DEL', KEYS[5]) end
end
return {text(start), alive, text(latest), missed, commands, asked, text(now)}
`

// askScript leaves each question for its member, if that is alive and not too
// many wait for it. It answers 1, notAlive or askedTooMuch for each.
//
// KEYS seen, asked of each. ARGV silence, most, life (ms), then replica and
// question of each.
const askScript = `
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local answer = {}
for i = 2, #KEYS do
  local replica, question = ARGV[2 * i], ARGV[2 * i + 1]
  local seen = tonumber(redis.call('ZSCORE', KEYS[1], replica) or '0')
  if seen < now - ARGV[1] then
    answer[#answer + 1] = 0
  elseif redis.call('LLEN', KEYS[i]) >= tonumber(ARGV[2]) then
    answer[#answer + 1] = 2
  else
    redis.call('RPUSH', KEYS[i], question)
    redis.call('PEXPIRE', KEYS[i], ARGV[3])
    answer[#answer + 1] = 1
  end
end
return answer
`

// appendScript adds a command under the id that it was sealed for. The id is
// part of what is sealed, so it is asked for first (id 0) and refused (answer
// 0) when another command has come in between.
//
// KEYS commands, head. ARGV id, value, kept, kept for, life of commands (ms),
// life of the head (ms).
const appendScript = `
local function text(n) return string.format('%.0f', n) end
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local latest = tonumber(redis.call('HGET', KEYS[2], 'latest') or '0')
local id = tonumber(ARGV[1])
if id == 0 then return text(math.max(latest + 1, now)) end
if id <= latest then return '0' end

redis.call('ZADD', KEYS[1], text(id), text(id) .. ' ' .. ARGV[2])
redis.call('HSET', KEYS[2], 'latest', text(id))
local many = redis.call('ZCARD', KEYS[1]) - ARGV[3]
local old = redis.call('ZCOUNT', KEYS[1], '-inf', text(now - ARGV[4]))
local drop = math.max(many, old)
if drop > 0 then
  local last = redis.call('ZRANGE', KEYS[1], drop - 1, drop - 1)[1]
  redis.call('HSET', KEYS[2], 'lost', string.match(last, '^%d+') or '0')
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, drop - 1)
end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('PEXPIRE', KEYS[2], ARGV[6])
return text(id)
`

// membersScript answers replica, last beat and value of each member alive.
//
// KEYS seen, members. ARGV silence.
const membersScript = `
local function text(n) return string.format('%.0f', n) end
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local answer = {}
for _, replica in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], text(now - ARGV[1]), '+inf')) do
  answer[#answer + 1] = replica
  answer[#answer + 1] = text(tonumber(redis.call('ZSCORE', KEYS[1], replica)))
  answer[#answer + 1] = redis.call('HGET', KEYS[2], replica) or ''
end
return answer
`
