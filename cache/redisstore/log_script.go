package redisstore

import (
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// keepEvents is how many events the log holds; who is further behind drops
	// everything.
	keepEvents = 10_000
	// keepLog is how long an unused log stays.
	keepLog = 24 * time.Hour
	// idDigits is the length of an event's ID in hex.
	idDigits = 16
)

// logScripts are the only way in which the Log touches Redis. Both may run
// twice: an event is known by its ID.
type logScripts struct{ add, since *redis.Script }

func newLogScripts(keep int) logScripts {
	constants := "local keep, life, digits = " + strconv.Itoa(keep) + ", " + strconv.FormatInt(keepLog.Milliseconds(), 10) +
		", " + strconv.Itoa(idDigits) + "\n"
	return logScripts{
		add:   redis.NewScript(constants + logPrelude + addScript),
		since: redis.NewScript(constants + logPrelude + sinceScript),
	}
}

// logPrelude opens the log, a hash:
//
//	log      its name
//	seq      the sequence of its last event
//	<n>      "<id> <payload>" of the event with the sequence n
//	i<id>    the sequence of an event that is still there
//	beat     written by every reader: a log that cannot be written is away
//
// ARGV: a new name, and what the caller has seen of this log: its name, a
// sequence, and the ID of the event that stood there. A log in which it does not
// stand there has lost history that somebody has read, as a failover does. Then
// it gets another name, which no replica misses.
const logPrelude = `
local key, fresh = KEYS[1], ARGV[1]
local seen_log, seen_seq, seen_id = ARGV[2], tonumber(ARGV[3]), ARGV[4]
local odd = ''

local function int(n) return string.format('%.0f', n) end

local function natural(text)
  local n = tonumber(text)
  if n and n >= 0 and n < 9e15 and n == math.floor(n) then return n end
end

local function event(n) return redis.call('HGET', key, int(n)) end

local function id_of(entry) return string.sub(entry, 1, digits) end

local log, seq
local is = redis.call('TYPE', key).ok
if is == 'hash' then
  local head = redis.call('HMGET', key, 'log', 'seq')
  log, seq = head[1], natural(head[2] or '')
  if not log or not seq then
    odd = 'head'
  elseif log == seen_log and seen_seq > 0 and seen_seq > seq - keep then
    local entry = seen_seq <= seq and event(seen_seq)
    if not entry or id_of(entry) ~= seen_id then odd = 'rollback' end
  end
elseif is ~= 'none' then
  odd = 'type'
end
if odd ~= '' then redis.call('UNLINK', key) end
if odd ~= '' or is == 'none' then
  log, seq = fresh, 0
  redis.call('HSET', key, 'log', log, 'seq', '0')
end

local function last_id()
  local entry = seq > 0 and event(seq)
  return entry and id_of(entry) or ''
end

local function lives_on()
  if redis.call('PTTL', key) < life / 2 then redis.call('PEXPIRE', key, life) end
end
`

// ARGV from the fifth on: IDs and payloads. Events that a lost answer left in the
// log stay where they are, as long as the given ones then stand there in one
// piece: who gave them reads from the sequence that nothing of others lies
// between. Else all are added once more. It answers the log's name, what was odd
// about it, the sequence of the log's last event and its ID, and the sequence of
// the last of the given events.
const addScript = `
local count, first, there = (#ARGV - 4) / 2, 0, 0
while there < count do
  local at = natural(redis.call('HGET', key, 'i' .. ARGV[5 + 2 * there]) or '')
  if not at or at <= seq - keep or at > seq or (there > 0 and at ~= first + there) then break end
  if there == 0 then first = at end
  there = there + 1
end
if there > 0 and there < count and first + there - 1 ~= seq then there = 0 end
local last = there > 0 and first + there - 1 or seq
for i = there + 1, count do
  local id, payload = ARGV[3 + 2 * i], ARGV[4 + 2 * i]
  seq = seq + 1
  last = seq
  redis.call('HSET', key, int(seq), id .. ' ' .. payload, 'i' .. id, int(seq), 'seq', int(seq))
  local old = seq > keep and event(seq - keep)
  if old then redis.call('HDEL', key, int(seq - keep), 'i' .. id_of(old)) end
end
lives_on()
return { log, odd, int(seq), last_id(), int(last) }
`

// ARGV from the fifth on: name and sequence of a position, and how many events
// to answer at most. It answers as addScript does, the last being the sequence
// of the last event answered, then whether something is lost, and the events.
const sinceScript = `
redis.call('HSET', key, 'beat', '1')
lives_on()
local from, most = tonumber(ARGV[6]), tonumber(ARGV[7])
if ARGV[5] ~= '' and ARGV[5] ~= log or from > seq or from < seq - keep then
  return { log, odd, int(seq), last_id(), int(seq), 1, {} }
end
local to = math.min(seq, from + most)
local names = {}
for n = from + 1, to do names[#names + 1] = int(n) end
local events = #names > 0 and redis.call('HMGET', key, unpack(names)) or {}
for i = 1, #names do
  if not events[i] then return { log, 'head', int(seq), last_id(), int(seq), 1, {} } end
end
return { log, odd, int(seq), last_id(), int(to), 0, events }
`
