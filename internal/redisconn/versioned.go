package redisconn

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Versioned is where one sealed value is kept that replicas change in turns: two
// keys in one cluster slot, the value and its version beside it in clear. The
// version is the server's own time of the change in microseconds and only grows,
// and the value is sealed for it: putting back an old value makes it unreadable,
// and putting back both brings back the very last state and no other.
type Versioned struct {
	conn           *Conn
	kind           string
	life           time.Duration
	version, value string // names of keys
}

// Versioned is the place of the value that kind and parts name as in
// [Conn.Key]. It outlives its last change by life.
func (c *Conn) Versioned(kind string, life time.Duration, parts ...string) Versioned {
	key := c.Key(kind, parts...)
	return Versioned{conn: c, kind: kind, life: life, version: key.Field("version"), value: key.Field("value")}
}

// Stored is what one read of a Versioned found.
type Stored struct {
	Now     int64  // the server's time, in microseconds
	Version string // as it stands there
	Sealed  string // "" = no value
}

var errReply = errors.New("redisconn: an answer that the script does not give")

// readVersioned answers the server's time in microseconds, version and value.
// What is no text counts as absent, and makes room: no later write could heal
// it. Numbers of that size go through string.format: Lua's own way would round
// them.
const readVersioned = `
for _, key in ipairs(KEYS) do
  local is = redis.call('TYPE', key).ok
  if is ~= 'string' and is ~= 'none' then redis.call('UNLINK', key) end
end
local t = redis.call('TIME')
return {string.format('%.0f', t[1] * 1000000 + t[2]), redis.call('GET', KEYS[1]) or '', redis.call('GET', KEYS[2]) or ''}
`

// replaceVersioned replaces version and value if the version is still the one
// that was read: ARGV read, new, value, life (ms). It answers 1 or 0.
const replaceVersioned = `
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[4])
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
return 1
`

// Read gives what is stored, within a Call of the caller's; it may run twice.
func (v Versioned) Read(ctx context.Context, r redis.UniversalClient) (Stored, error) {
	reply, err := redis.NewScript(readVersioned).Run(ctx, r, []string{v.version, v.value}).StringSlice()
	if err != nil {
		return Stored{}, err
	}
	if len(reply) != 3 {
		return Stored{}, errReply
	}
	now, err := strconv.ParseInt(reply[0], 10, 64)
	if err != nil {
		return Stored{}, errReply
	}
	return Stored{now, reply[1], reply[2]}, nil
}

// Open decrypts the value that Read found. A *RejectedError says that it cannot
// be read: a key has not reached this replica yet, or somebody else wrote it.
func (v Versioned) Open(found Stored) ([]byte, error) {
	return v.conn.Open(v.kind, v.value, found.number(), found.Sealed)
}

// Replace writes plain in the place of what was read, within a Call of the
// caller's, unless somebody else has changed that meanwhile.
func (v Versioned) Replace(ctx context.Context, r redis.UniversalClient, read Stored, plain []byte) (done bool, err error) {
	version := read.next(v.life)
	sealed, err := v.conn.Seal(v.kind, v.value, version, plain)
	if err != nil {
		return false, err
	}
	n, err := redis.NewScript(replaceVersioned).Run(ctx, r, []string{v.version, v.value},
		read.Version, strconv.FormatUint(version, 10), sealed, v.life.Milliseconds()).Int()
	return n == 1, err
}

// number is the version as a number; 0, which opens nothing, for anything else.
func (s Stored) number() uint64 {
	n, err := strconv.ParseUint(s.Version, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// next is the version of a change: the server's time, and in any case more than
// the last one. A version from the far future is nobody's.
func (s Stored) next(life time.Duration) uint64 {
	now, last := uint64(max(s.Now, 1)), s.number()
	if last >= now && last-now < uint64(life.Microseconds()) {
		return last + 1
	}
	return now
}

// Age is how long ago the value was written.
func (s Stored) Age() time.Duration {
	n := s.number()
	if now := uint64(max(s.Now, 0)); n < now {
		return time.Duration(now-n) * time.Microsecond
	}
	return 0
}
