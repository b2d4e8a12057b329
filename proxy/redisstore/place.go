package redisstore

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/proxy"
)

// place is where a session is kept: two keys in one cluster slot.
type place struct {
	version string // plain: of the value
	value   string // sealed
}

func (s *Store) place(key proxy.SessionKey) place {
	k := s.conn.Key(kind, key.Environment, key.Service, key.Upstream, key.Credential, key.Account)
	return place{version: k.Field("version"), value: k.Field("value")}
}

// readScript answers the server's time in microseconds, version and value.
// Numbers of that size go through string.format: Lua's own way would round them.
const readScript = `
local t = redis.call('TIME')
return {string.format('%.0f', t[1] * 1000000 + t[2]), redis.call('GET', KEYS[1]) or '', redis.call('GET', KEYS[2]) or ''}
`

// writeScript replaces version and value if the version is still the one that
// was read: ARGV read, new, value, life (ms). It answers 1 or 0.
const writeScript = `
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[4])
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
return 1
`

// stored is what one read found.
type stored struct {
	now     int64  // the server's time, in microseconds
	version string // as it stands there
	sealed  string // "" = no value
}

func (p place) read(ctx context.Context, r redis.UniversalClient) (stored, error) {
	reply, err := redis.NewScript(readScript).Run(ctx, r, []string{p.version, p.value}).StringSlice()
	if err != nil {
		return stored{}, err
	}
	if len(reply) != 3 {
		return stored{}, errReply
	}
	now, err := strconv.ParseInt(reply[0], 10, 64)
	if err != nil {
		return stored{}, errReply
	}
	return stored{now, reply[1], reply[2]}, nil
}

// number is the version as a number; 0, which opens nothing, for anything else.
func (s stored) number() uint64 {
	n, err := strconv.ParseUint(s.version, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// next is the version of an update: the server's time, and in any case more
// than the last one. A version from the far future is nobody's.
func (s stored) next() uint64 {
	now, last := uint64(max(s.now, 1)), s.number()
	if last >= now && last-now < uint64(life.Microseconds()) {
		return last + 1
	}
	return now
}

// age is how long ago the value was written.
func (s stored) age() time.Duration {
	n := s.number()
	if now := uint64(max(s.now, 0)); n < now {
		return time.Duration(now-n) * time.Microsecond
	}
	return 0
}
