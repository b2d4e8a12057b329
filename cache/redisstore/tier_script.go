package redisstore

import (
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// patience is how long after it was sent a claim may be made. Whoever sent it
// has given up long before; a server that was frozen executes it all the same.
const patience = time.Second

// What a script answers after the time.
const (
	answerNo   = 0
	answerYes  = 1
	answerLate = 2 // sent too long ago, by Redis' clock
)

// tierScripts are the only way in which the Tier touches Redis: one per method,
// so that each is one step for all replicas. All may run twice.
type tierScripts struct{ get, claim, renew, put, release, discard *redis.Script }

func newTierScripts() tierScripts {
	constants := "local patience = " + strconv.FormatInt(patience.Milliseconds(), 10) + "\n"
	script := func(body string) *redis.Script { return redis.NewScript(constants + tierPrelude + body) }
	return tierScripts{
		get:     script(getScript),
		claim:   script(claimScript),
		renew:   script(renewScript),
		put:     script(putScript),
		release: script(releaseScript),
		discard: script(discardScript),
	}
}

// tierPrelude: a key without an end is none of ours, and holds nobody up; one in
// its last millisecond has ended.
const tierPrelude = `
local value_key, claim_key, alone_key = KEYS[1], KEYS[2], KEYS[3]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function lives(key) return redis.call('PTTL', key) > 0 and 1 or 0 end

local function finish(token)
  if token ~= '' and redis.pcall('GET', claim_key) == token then redis.call('UNLINK', claim_key) end
end
`

// ARGV: the most bytes of a value. It answers the value, why there is none,
// whether it is claimed and whether it is alone. A foreign giant never crosses
// the wire.
const getScript = `
local text, why = '', ''
local size = redis.pcall('STRLEN', value_key)
if type(size) ~= 'number' then
  why = 'type'
elseif size > tonumber(ARGV[1]) then
  why = 'size'
elseif size > 0 then
  text = redis.call('GET', value_key)
end
if why ~= '' then redis.call('UNLINK', value_key) end
return { now, text, why, lives(claim_key), lives(alone_key) }
`

// ARGV: token, for how long, when sent (0 = unknown). A claim whose answer was
// lost is found again by its token.
const claimScript = `
local token, lasting, sent = ARGV[1], ARGV[2], tonumber(ARGV[3])
if sent > 0 and now - sent > patience then return { now, 2 } end
local held = redis.pcall('GET', claim_key)
if type(held) == 'string' and held ~= token and lives(claim_key) == 1 then return { now, 0 } end
redis.call('SET', claim_key, token, 'PX', lasting)
return { now, 1 }
`

// ARGV: token, for how long.
const renewScript = `
if redis.pcall('GET', claim_key) ~= ARGV[1] or lives(claim_key) == 0 then return { now, 0 } end
redis.call('PEXPIRE', claim_key, ARGV[2])
return { now, 1 }
`

// ARGV: stamped value, time to live from when it was sent, when sent, token. On
// a full server the claim ends although the value is refused; it ends last,
// since after a first write a script may go beyond the server's memory.
const putScript = `
local left = tonumber(ARGV[2]) - math.max(0, now - tonumber(ARGV[3]))
local done = {}
if left > 0 then
  done = redis.pcall('SET', value_key, ARGV[1], 'PX', string.format('%.0f', left))
else
  redis.call('UNLINK', value_key)
end
finish(ARGV[4])
if done.err then return done end
return { now, 1 }
`

// ARGV: token, how long to be alone.
const releaseScript = `
local done = {}
if tonumber(ARGV[2]) > 0 then done = redis.pcall('SET', alone_key, '1', 'PX', ARGV[2]) end
finish(ARGV[1])
if done.err then return done end
return { now, 1 }
`

// ARGV: what the value begins with, ” = whatever it is. A newer one stays.
const discardScript = `
if ARGV[1] == '' or redis.pcall('GETRANGE', value_key, 0, #ARGV[1] - 1) == ARGV[1] then
  redis.call('UNLINK', value_key)
end
return { now, 1 }
`
