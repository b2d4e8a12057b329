package redisstore

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redisconn"
	"iqgateway/internal/steady"
	"iqgateway/override"
)

const (
	// kind is what sealed values and their names are bound to.
	kind = "override"
	// life is how long the place outlives the last change.
	life = override.Longest + 24*time.Hour
	// tries bounds an update that others keep overtaking.
	tries = 20
	// step is what a replica that was overtaken waits for at most, times the try.
	step = 2 * time.Millisecond
)

var (
	// ErrOvertaken says that other replicas changed the overrides all the time;
	// nothing was changed.
	ErrOvertaken = errors.New("override/redisstore: other replicas keep changing the overrides")

	errReply    = errors.New("override/redisstore: an answer that the script does not give")
	errDocument = errors.New("override/redisstore: what is stored is of another version of the gateway")
)

// Store implements [override.Store] over Redis. It is safe for concurrent use.
//
// The value is sealed for its version, which grows with each change and stands
// beside it in clear: who may write to Redis can end overrides, or bring back the
// very last state, and can make no other.
type Store struct {
	conn           *redisconn.Conn
	version, value string
	read, write    *redis.Script
}

// New returns a store over conn. Without encryption keys in conn its calls give
// [redisconn.ErrNoKeys]: whoever may write to Redis could command the gateway.
func New(conn *redisconn.Conn) *Store {
	key := conn.Key(kind)
	return &Store{
		conn: conn, version: key.Field("version"), value: key.Field("value"),
		read: redis.NewScript(readScript), write: redis.NewScript(writeScript),
	}
}

// readScript answers the server's time in microseconds, version and value. What
// is no text counts as absent, and makes room.
const readScript = `
for _, key in ipairs(KEYS) do
  local is = redis.call('TYPE', key).ok
  if is ~= 'string' and is ~= 'none' then redis.call('UNLINK', key) end
end
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

// Load implements [override.Store].
func (s *Store) Load(ctx context.Context) (override.Snapshot, error) {
	if !s.conn.Sealing() {
		return override.Snapshot{}, redisconn.ErrNoKeys
	}
	var found override.Snapshot
	err := s.conn.CallIdempotent(ctx, "override.load", func(ctx context.Context, r redis.UniversalClient) error {
		state, err := s.look(ctx, r)
		if err != nil {
			return err
		}
		found, err = s.open(state)
		return err
	})
	return found, err
}

// Update implements [override.Store].
func (s *Store) Update(ctx context.Context, change func([]override.Override) ([]override.Override, error)) (override.Snapshot, error) {
	if !s.conn.Sealing() {
		return override.Snapshot{}, redisconn.ErrNoKeys
	}
	for try := range tries {
		var before override.Snapshot
		var state stored
		err := s.conn.CallIdempotent(ctx, "override.load", func(ctx context.Context, r redis.UniversalClient) (err error) {
			if state, err = s.look(ctx, r); err == nil {
				before, err = s.openOrNothing(state)
			}
			return err
		})
		if err != nil {
			return override.Snapshot{}, err
		}
		after, err := change(before.All)
		if err != nil {
			return override.Snapshot{}, err
		}
		done, err := s.put(ctx, state, after)
		if err != nil {
			return override.Snapshot{}, err
		}
		if done {
			return override.Snapshot{All: after}, nil
		}
		if !steady.Pause(ctx, time.Duration(rand.Int64N(int64(step)*int64(try+1)))) { // it only spreads replicas
			return override.Snapshot{}, ctx.Err()
		}
	}
	return override.Snapshot{}, ErrOvertaken
}

func (s *Store) look(ctx context.Context, r redis.UniversalClient) (stored, error) {
	reply, err := s.read.Run(ctx, r, []string{s.version, s.value}).StringSlice()
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

// put writes all in the place of state, unless that has changed.
func (s *Store) put(ctx context.Context, state stored, all []override.Override) (done bool, err error) {
	plain, err := encode(all, state.now)
	if err != nil {
		return false, err
	}
	version := state.next()
	sealed, err := s.conn.Seal(kind, s.value, version, plain)
	if err != nil {
		return false, err
	}
	err = s.conn.Call(ctx, "override.update", func(ctx context.Context, r redis.UniversalClient) error {
		n, err := s.write.Run(ctx, r, []string{s.version, s.value}, state.version, strconv.FormatUint(version, 10), sealed, life.Milliseconds()).Int()
		done = n == 1
		return err
	})
	return done, err
}

// open returns what a place holds. An error says that it holds something that
// cannot be read: a key has not reached this replica yet, or somebody else wrote
// it.
func (s *Store) open(state stored) (override.Snapshot, error) {
	if state.sealed == "" {
		return override.Snapshot{Empty: true}, nil
	}
	plain, err := s.conn.Open(kind, s.value, state.number(), state.sealed)
	if err != nil {
		return override.Snapshot{}, err
	}
	all, err := decode(plain, state.now)
	return override.Snapshot{All: all}, err
}

// openOrNothing is open where what cannot be read is about to be replaced: else
// whoever may write to Redis could keep operators from every order.
func (s *Store) openOrNothing(state stored) (override.Snapshot, error) {
	found, err := s.open(state)
	_, rejected := errors.AsType[*redisconn.RejectedError](err)
	if rejected || errors.Is(err, errDocument) {
		return override.Snapshot{}, nil
	}
	return found, err
}

// number is the version as a number; 0, which opens nothing, for anything else.
func (s stored) number() uint64 {
	n, err := strconv.ParseUint(s.version, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// next is the version of an update: the server's time, and in any case more than
// the last one. A version from the far future is nobody's.
func (s stored) next() uint64 {
	now, last := uint64(max(s.now, 1)), s.number()
	if last >= now && last-now < uint64(life.Microseconds()) {
		return last + 1
	}
	return now
}
