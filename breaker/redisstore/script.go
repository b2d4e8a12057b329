package redisstore

import (
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/breaker"
)

const (
	// keep is how long both keys live after the last change: longer than any
	// record.
	keep = 26 * time.Hour
	// furthest is how far ahead a record may end: a forced state, and then some.
	furthest = 25 * time.Hour
	// maxNames is how many fields a key may have, maxValue how long one may be.
	// A foreign giant is deleted and never crosses the wire.
	maxNames = 10_000
	maxValue = 4 << 10
)

// scripts are the only way in which the Store touches Redis: one per method, so
// that each decision and its write are one step for all replicas.
type scripts struct{ load, apply, claim *redis.Script }

func newScripts() scripts {
	constants := fmt.Sprintf("local keep, linger, lingerLifted, late, furthest, most, longest = %d, %d, %d, %d, %d, %d, %d\n",
		keep.Milliseconds(), breaker.Keep.Milliseconds(), breaker.KeepLifted.Milliseconds(), breaker.Late.Milliseconds(), furthest.Milliseconds(), maxNames, maxValue)
	script := func(body string) *redis.Script { return redis.NewScript(constants + prelude + body) }
	return scripts{load: script(loadScript), apply: script(applyScript), claim: script(claimScript)}
}

// prelude reads records. Everything foreign that lies under one of our names is
// deleted there and then. Integers stay below 2^53, which Lua's doubles hold
// exactly.
const prelude = `
local records, claims = KEYS[1], KEYS[2]
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local odd = {}

local function int(n) return string.format('%.0f', n) end

local function tell(key, why)
  odd[#odd + 1] = (key == records and 'records ' or 'claims ') .. why
end

for _, key in ipairs(KEYS) do
  local is = redis.call('TYPE', key).ok
  if is ~= 'hash' and is ~= 'none' then
    redis.call('UNLINK', key)
    tell(key, 'type')
  elseif is == 'hash' and redis.call('HLEN', key) > most then
    redis.call('UNLINK', key)
    tell(key, 'size')
  end
end

local function discard(key, name, why)
  redis.call('HDEL', key, name)
  tell(key, why)
end

local function get(key, name)
  if redis.call('HSTRLEN', key, name) > longest then
    discard(key, name, 'size')
    return nil
  end
  return redis.call('HGET', key, name) or nil
end

local function natural(text)
  local n = tonumber(text)
  if n and n >= 0 and n < 9e15 and n == math.floor(n) then return n end
end

local function read(name)
  local text = get(records, name)
  if not text then return nil end
  local version, state, ends, since, step, detail = string.match(text, '^1 (%d+) (%a+) (%d+) (%d+) (%d+) (.*)$')
  local r = { version = natural(version), state = state, ends = natural(ends), since = natural(since), step = natural(step), detail = detail }
  if not (r.version and r.ends and r.since and r.step and (state == 'open' or state == 'closed' or state == 'lifted') and pcall(cjson.decode, detail)) then
    discard(records, name, 'malformed')
    return nil
  end
  -- The clock of a server that takes over may be behind by some seconds.
  if r.ends > now + furthest or r.since > now + 60000 then
    discard(records, name, 'time')
    return nil
  end
  local stays = r.state == 'lifted' and lingerLifted or linger
  if now > math.max(r.ends, r.since) + stays then
    redis.call('HDEL', records, name)
    return nil
  end
  return r
end

local function write(name, r)
  redis.call('HSET', records, name, table.concat({ '1', int(r.version), r.state, int(r.ends), int(r.since), int(r.step), r.detail }, ' '))
  redis.call('PEXPIRE', records, keep)
end

-- version, state, left, age, step, detail; empty where there is none
local function shown(r)
  if not r then return {} end
  return { int(r.version), r.state, int(math.max(0, r.ends - now)), int(math.max(0, now - r.since)), int(r.step), r.detail }
end

local function held(name)
  local text, ids, many = get(claims, name), {}, 0
  for id, ends in string.gmatch(text or '', '(%x+)=(%d+);') do
    if natural(ends) and natural(ends) > now and natural(ends) < now + furthest then
      ids[id] = natural(ends)
      many = many + 1
    end
  end
  return ids, many
end

local function hold(name, ids)
  local text = ''
  for id, ends in pairs(ids) do text = text .. id .. '=' .. int(ends) .. ';' end
  if text == '' then
    redis.call('HDEL', claims, name)
  else
    redis.call('HSET', claims, name, text)
    redis.call('PEXPIRE', claims, keep)
  end
end
`

// ARGV: nothing. It answers odd, then name and record of each.
const loadScript = `
if redis.call('PTTL', records) == -1 then redis.call('PEXPIRE', records, keep) end
if redis.call('PTTL', claims) == -1 then redis.call('PEXPIRE', claims, keep) end
local answer = { odd }
for _, name in ipairs(redis.call('HKEYS', records)) do
  local r = read(name)
  if r then
    answer[#answer + 1] = name
    answer[#answer + 1] = shown(r)
  end
end
return answer
`

// ARGV: name, state (” = none), for (ms), step, detail, forced (1 or 0), probe
// (” = none), age (ms). It answers odd and the record.
const applyScript = `
local name, state, lasts, step, detail, forced, probe = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], ARGV[6], ARGV[7]
local age = tonumber(ARGV[8])
if probe ~= '' then
  local ids = held(name)
  ids[probe] = nil
  hold(name, ids)
end
local r = read(name)
if state == '' then return { odd, shown(r) } end

local since, ends = now - age, now + lasts
if age > late and r and r.since > since then return { odd, shown(r) } end
if state == 'open' and forced == '0' and r and r.state == 'open' and r.ends > now then
  step = math.max(step, r.step)
  if r.ends > ends then
    r.step = step
    write(name, r)
    return { odd, shown(r) }
  end
end
local version = math.max(r and r.version + 1 or 0, micros)
r = { version = version, state = state, ends = ends, since = since, step = step, detail = detail }
write(name, r)
return { odd, shown(r) }
`

// ARGV: name, probe, limit, ttl (ms). It answers odd, the record and 1 if it is
// granted.
const claimScript = `
local name, probe, limit, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local r = read(name)
local ids, many = held(name)
if not ids[probe] then
  local shut = r and (r.state == 'closed' or r.state == 'open' and r.ends > now)
  if many >= limit or shut then return { odd, shown(r), 0 } end
end
ids[probe] = now + ttl
hold(name, ids)
return { odd, shown(r), 1 }
`
