package redisstore

import (
	"fmt"

	"github.com/redis/go-redis/v9"

	"iqgateway/callerlimit"
)

const (
	// maxState is what one caller's state may hold, in bytes: that of more than
	// a thousand replicas. A foreign giant never crosses the wire.
	maxState = 1 << 17
	// keepMost is how long any bucket is remembered, in milliseconds.
	keepMost = 7 * 24 * 3600 * 1000
)

// serverClock is the only clock: replicas' clocks are never compared.
const serverClock = `
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end
`

// newScript returns the only way in which the Store touches Redis: decision and
// write are one step for all replicas.
func newScript(clock string) *redis.Script {
	constants := fmt.Sprintf("local silence, most, keep, keep_most = %d, %d, %d, %d\n",
		callerlimit.Silence.Microseconds(), maxState, callerlimit.Remember.Milliseconds(), keepMost)
	return redis.NewScript(constants + clock + askScript)
}

// askScript does what Decide of package storetest does, in the same steps with
// the same names. Integers stay below 2^53, which Lua's doubles hold exactly.
//
// ARGV: replica, fleet, known (1 or 0), rate, burst, concurrency, have,
// held, want, back, debt, slots, need, resting (1 or 0). It answers odd (empty = nothing),
// granted, wait in microseconds, slots and due.
const askScript = `
local key, replica = KEYS[1], ARGV[1]
local a = {}
for i, name in ipairs({ 'fleet', 'known', 'rate', 'burst', 'concurrency', 'have', 'held', 'want', 'back', 'debt', 'slots', 'need', 'resting' }) do
  a[name] = tonumber(ARGV[i + 1])
end
local now, odd = clock(), ''

local function int(n) return string.format('%.0f', n) end

local function parse(text)
  local at, level, lost, rest = string.match(text, '^1 (%d+) (%d[%d.e+-]*) (%d+)(.*)$')
  at, level, lost = tonumber(at), tonumber(level), tonumber(lost)
  if not (at and level and lost and at < 9e15 and level < 9e15 and lost < 9e15) then return nil end
  local members = {}
  for id, seen, have, slots, need in string.gmatch(rest, ' (%x+) (%d+) (%d+) (%d+) (%d+)') do
    local m = { seen = tonumber(seen), have = tonumber(have), slots = tonumber(slots), need = tonumber(need) }
    if m.seen > 9e15 or m.have > 1e9 or m.slots > 1e9 or m.need > 1e9 then return nil end
    members[id] = m
  end
  return { at = at, level = level, lost = lost, members = members }
end

local function read()
  local is = redis.call('TYPE', key).ok
  if is == 'none' then return nil end
  if is ~= 'string' then odd = 'type'
  elseif redis.call('STRLEN', key) > most then odd = 'size'
  else
    local s = parse(redis.call('GET', key))
    if s then return s end
    odd = 'malformed'
  end
  redis.call('UNLINK', key)
end

local function divide(bound, replicas)
  if replicas <= 1 then return { whole = bound, rest = bound } end
  local whole = math.max(bound, replicas)
  return { whole = whole, rest = math.max(1, math.floor(whole / (2 * replicas))) }
end

local s = read()
if not s then
  s = { at = 0, level = 0, lost = 0, members = {} }
  if a.known == 1 then s.at, s.lost = now, now + silence end
end
local others, count = {}, 0
for id, m in pairs(s.members) do
  m.seen = math.min(m.seen, now)
  if now - m.seen < silence then
    others[id] = m
    count = count + 1
  end
end
local before = others[replica]
if before then
  others[replica] = nil
  count = count - 1
end
local n = math.max(a.fleet, count + 1)
local absent = n - count - 1
local me = { seen = now, have = 0, slots = 0, need = a.need }
local granted, wait, slots, due = 0, 0, 0, 0

if a.rate > 0 then
  local part = divide(a.burst, n)
  local held = before and before.have or math.min(a.held, part.rest)
  local room = part.whole - absent * part.rest
  for _, m in pairs(others) do room = room - m.have end
  local level = room - held
  if s.at ~= 0 then
    level = math.min(level, s.level + a.rate * (math.max(0, now - s.at) / 1000000))
  end
  level = math.max(0, level - a.debt) + a.back
  level = math.max(0, math.min(level, room - a.have))
  granted = math.min(a.want, math.floor(level))
  level = level - granted
  if level < 1 then wait = math.ceil((1 - level) / a.rate * 1000000) end
  s.level, s.at, me.have = level, now, a.have + granted
end

local function fair(all, need, needs)
  table.sort(needs)
  for i, other in ipairs(needs) do
    local share = math.floor(all / (#needs - i + 1))
    if other > share then return math.min(need, share) end
    all = all - other
  end
  return need + math.floor(all / #needs)
end

if a.resting == 1 then
  slots, due = a.slots, a.slots
else
  if a.concurrency > 0 then
    local part = divide(a.concurrency, n)
    local all = part.whole - absent * part.rest
    local free, needs = all, { a.need }
    for _, m in pairs(others) do
      free = free - m.slots
      needs[#needs + 1] = m.need
    end
    if now < s.lost then free = math.min(free, part.rest) end
    due = math.max(part.rest, fair(all, a.need, needs))
    slots = math.max(a.slots, math.min(due, free))
    me.slots = slots
  end
  others[replica] = me
end

local text = { '1', int(s.at), string.format('%.17g', s.level), int(s.lost) }
for id, m in pairs(others) do
  text[#text + 1] = table.concat({ id, int(m.seen), int(m.have), int(m.slots), int(m.need) }, ' ')
end
local lives = keep
if a.rate > 0 then lives = math.min(keep_most, keep + math.ceil(math.max(a.burst, n) / a.rate * 1000)) end
redis.call('SET', key, table.concat(text, ' '), 'PX', int(lives))
return { odd, int(granted), int(wait), int(slots), int(due) }
`
