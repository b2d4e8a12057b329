package redisstore

import (
	"strconv"

	"github.com/redis/go-redis/v9"
)

// scripts are how the Store writes: each is one step for all replicas.
type scripts struct{ store, remove, index, lock, extend, unlock, tickets *redis.Script }

func newScripts() scripts {
	return scripts{
		store:   redis.NewScript(storeScript),
		remove:  redis.NewScript(removeScript),
		index:   redis.NewScript(indexScript),
		lock:    redis.NewScript(lockScript),
		extend:  redis.NewScript(extendScript),
		unlock:  redis.NewScript(unlockScript),
		tickets: redis.NewScript("local keep = " + strconv.FormatInt(ticketsKeep.Milliseconds(), 10) + "\n" + ticketsScript),
	}
}

// KEYS: file, index, and files whose end is the same. ARGV: value, time to
// live, name in the index, sealed path, time to live of the index, and
// whether the others follow this one ("lead") or this one them ("follow").
const storeScript = `
local ttl = tonumber(ARGV[2])
if ARGV[6] == 'follow' then
  for i = 3, #KEYS do
    local left = redis.call('PTTL', KEYS[i])
    if left > 0 then ttl = left end
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ttl)
if ARGV[6] == 'lead' then
  for i = 3, #KEYS do redis.call('PEXPIRE', KEYS[i], ttl) end
end
if redis.call('TYPE', KEYS[2]).ok ~= 'hash' then redis.call('UNLINK', KEYS[2]) end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return 1
`

// KEYS: index, then files. ARGV: their names in the index.
const removeScript = `
for i = 2, #KEYS do redis.call('UNLINK', KEYS[i]) end
if redis.call('TYPE', KEYS[1]).ok == 'hash' then redis.call('HDEL', KEYS[1], unpack(ARGV)) end
return 1
`

// KEYS: index. ARGV: what the names of files begin with. It answers names and
// sealed paths of the files that there are.
const indexScript = `
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'hash' then
  if kind == 'none' then return { 0 } end
  redis.call('UNLINK', KEYS[1])
  return { 1 }
end
local all, found = redis.call('HGETALL', KEYS[1]), { 0 }
for i = 1, #all, 2 do
  if redis.call('EXISTS', ARGV[1] .. all[i]) == 1 then
    found[#found + 1] = all[i]
    found[#found + 1] = all[i + 1]
  else
    redis.call('HDEL', KEYS[1], all[i])
  end
end
return found
`

// A lock whose answer was lost is asked for again by the same owner. One without
// an end, or that is none, was never ours.
const lockScript = `
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'none' and (kind ~= 'string' or redis.call('PTTL', KEYS[1]) < 0) then redis.call('UNLINK', KEYS[1]) end
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`

// A lock that Redis has forgotten is taken again, if nobody else has.
const extendScript = lockScript

const unlockScript = `
if redis.call('TYPE', KEYS[1]).ok == 'string' and redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('UNLINK', KEYS[1]) end
return 1
`

// KEYS: tickets. ARGV: version that is replaced, sealed keys. A version that is no
// number was not written here and counts as 0, as it does when it is loaded: it
// would stay for ever else.
const ticketsScript = `
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then redis.call('UNLINK', KEYS[1]) end
local text = redis.call('HGET', KEYS[1], 'version')
local version = text and string.match(text, '^%d+$') and tonumber(text) or 0
if version >= 2 ^ 53 then version = 0 end
if version ~= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'version', string.format('%.0f', version + 1), 'keys', ARGV[2])
redis.call('PEXPIRE', KEYS[1], keep)
return 1
`
