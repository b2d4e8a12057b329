package redisstore

import (
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// keep is how long state and history are kept after the last write. No
	// token is shared for longer, so that state outlives the value that it
	// vouches for.
	keep = 7 * 24 * time.Hour
	// maxValue is what a sealed value may hold, in bytes; a foreign giant is
	// deleted and never crosses the wire.
	maxValue = 64 << 10
)

// scripts are the only way in which the Store touches Redis: one per method,
// so that each decision and its write are one step for all replicas.
type scripts struct{ load, claim, extend, grant, fail, release, accepted, forget *redis.Script }

func newScripts() scripts {
	constants := "local keep, most = " + strconv.FormatInt(keep.Milliseconds(), 10) + ", " + strconv.Itoa(maxValue) + "\n"
	script := func(body string) *redis.Script { return redis.NewScript(constants + prelude + body) }
	return scripts{
		load:     script(loadScript),
		claim:    script(claimScript),
		extend:   script(extendScript),
		grant:    script(grantScript),
		fail:     script(failScript),
		release:  script(releaseScript),
		accepted: script(acceptedScript),
		forget:   script(forgetScript),
	}
}

// prelude reads the state. Everything foreign that lies under one of our names
// is deleted there and then, since no later write could heal a wrong type in
// every case. Integers stay below 2^53, which Lua's doubles hold exactly.
const prelude = `
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local state_key, token_key, history_key, lock_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local odd = {}

local function int(n) return string.format('%.0f', n) end

local function discard(key, why)
  redis.call('UNLINK', key)
  for i, k in ipairs(KEYS) do
    if k == key then odd[#odd + 1] = i .. ' ' .. why end
  end
end

local function typed(key, want)
  local is = redis.call('TYPE', key).ok
  if is ~= want and is ~= 'none' then discard(key, 'type') end
  return is == want
end

local function value(key)
  if not typed(key, 'string') then return '' end
  if redis.call('STRLEN', key) > most then
    discard(key, 'size')
    return ''
  end
  return redis.call('GET', key)
end

local function natural(text)
  local n = tonumber(text)
  if n and n >= 0 and n < 9e15 and n == math.floor(n) then return n end
end

local state = { fence = 0, saved = 0, accepted = 0, hsaved = 0, released = 0, forgiven = 0 }
if typed(state_key, 'hash') then
  local names = { 'fence', 'saved', 'accepted', 'hsaved', 'released', 'forgiven' }
  for i, text in ipairs(redis.call('HMGET', state_key, unpack(names))) do
    local n = natural(text or 0)
    -- A future moment would forgive what is yet to happen; a minute is left to
    -- the clocks of servers that fail over.
    if n and not (names[i] == 'forgiven' and n > now + 60000) then
      state[names[i]] = n
    else
      redis.call('HDEL', state_key, names[i])
      odd[#odd + 1] = '1 number'
    end
  end
end

-- A server whose clock is behind has taken over: what fails from now on is not
-- forgiven yet.
if state.forgiven > now then
  redis.call('HSET', state_key, 'forgiven', int(now))
  state.forgiven = now
end

local function save(changes)
  for name, n in pairs(changes) do
    redis.call('HSET', state_key, name, int(n))
    state[name] = n
  end
  redis.call('PEXPIRE', state_key, keep)
end

local function done(ok) return { micros, odd, ok and 1 or 0 } end

local function view(granted)
  return { micros, odd, granted, state.saved, state.accepted, state.hsaved, state.forgiven, value(token_key), value(history_key) }
end
`

const loadScript = `
return view(0)
`

// A claim whose answer was lost asks again with the same owner and gets the
// same number. A lock always ends, even one that lost its TTL.
const claimScript = `
local owner, ttl = ARGV[1], ARGV[2]
local lock = value(lock_key)
local holder, number = string.match(lock, '^([^:]+):(%d+)$')
number = natural(number)
if lock ~= '' and not number then
  discard(lock_key, 'malformed')
  holder = nil
end
if holder and holder ~= owner then
  if redis.call('PTTL', lock_key) < 0 then redis.call('PEXPIRE', lock_key, ttl) end
  return view(0)
end
if holder ~= owner then number = math.max(state.fence + 1, micros) end
redis.call('SET', lock_key, owner .. ':' .. int(number), 'PX', ttl)
save({ fence = number })
return view(number)
`

// A lock that Redis lost by a flush, a crash or a failover is taken again while
// nobody else has claimed. A late extension never undoes a release.
const extendScript = `
local owner, mine, ttl = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local ours = owner .. ':' .. int(mine)
local lock = value(lock_key)
if state.fence > mine or state.released >= mine or (lock ~= '' and lock ~= ours) then return done(false) end
redis.call('SET', lock_key, ours, 'PX', ttl)
save({ fence = mine })
return done(true)
`

// A token that has expired meanwhile is not stored.
const grantScript = `
local mine, expires, token, history = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]
if state.fence > mine then return done(false) end
local left = math.min(expires - now, keep)
if left > 0 then
  save({ fence = mine, hsaved = mine, saved = mine, accepted = state.saved == mine and state.accepted or 0 })
  redis.call('SET', token_key, token, 'PX', int(left))
else
  save({ fence = mine, hsaved = mine, saved = 0, accepted = 0 })
  redis.call('UNLINK', token_key)
end
redis.call('SET', history_key, history, 'PX', keep)
return done(true)
`

const failScript = `
local mine, history = tonumber(ARGV[1]), ARGV[2]
if state.fence > mine then return done(false) end
save({ fence = mine, hsaved = mine })
redis.call('SET', history_key, history, 'PX', keep)
return done(true)
`

const releaseScript = `
local owner, mine = ARGV[1], tonumber(ARGV[2])
if value(lock_key) == owner .. ':' .. int(mine) then redis.call('UNLINK', lock_key) end
save({ released = math.max(state.released, mine) })
return done(true)
`

const acceptedScript = `
if state.saved == tonumber(ARGV[1]) and state.saved > 0 then save({ accepted = 1 }) end
return done(true)
`

// Forgetting a token raises the fence over every claim under way.
const forgetScript = `
if ARGV[1] == '1' then
  save({ fence = math.max(state.fence + 1, micros), saved = 0, accepted = 0 })
  redis.call('UNLINK', token_key, lock_key)
end
if ARGV[2] == '1' then
  save({ hsaved = 0, forgiven = now })
  redis.call('UNLINK', history_key)
end
return done(true)
`
