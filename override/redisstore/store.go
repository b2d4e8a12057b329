package redisstore

import (
	"context"
	"errors"
	"math/rand/v2"
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

	errDocument = errors.New("override/redisstore: what is stored is of another version of the gateway")
)

// Store implements [override.Store] over Redis. It is safe for concurrent use.
//
// Who may write to Redis can end overrides, or bring back the very last state,
// and can make no other; see [redisconn.Versioned].
type Store struct {
	conn  *redisconn.Conn
	place redisconn.Versioned
}

// New returns a store over conn. Without encryption keys in conn its calls give
// [redisconn.ErrNoKeys]: whoever may write to Redis could command the gateway.
func New(conn *redisconn.Conn) *Store { return &Store{conn, conn.Versioned(kind, life)} }

// Load implements [override.Store].
func (s *Store) Load(ctx context.Context) (override.Snapshot, error) {
	if !s.conn.Sealing() {
		return override.Snapshot{}, redisconn.ErrNoKeys
	}
	var found override.Snapshot
	err := s.conn.CallIdempotent(ctx, "override.load", func(ctx context.Context, r redis.UniversalClient) error {
		state, err := s.place.Read(ctx, r)
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
		var state redisconn.Stored
		err := s.conn.CallIdempotent(ctx, "override.load", func(ctx context.Context, r redis.UniversalClient) (err error) {
			if state, err = s.place.Read(ctx, r); err == nil {
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
			return override.Snapshot{All: after, Empty: before.Empty}, nil
		}
		if !steady.Pause(ctx, time.Duration(rand.Int64N(int64(step)*int64(try+1)))) { // it only spreads replicas
			return override.Snapshot{}, ctx.Err()
		}
	}
	return override.Snapshot{}, ErrOvertaken
}

// put writes all in the place of state, unless that has changed.
func (s *Store) put(ctx context.Context, state redisconn.Stored, all []override.Override) (done bool, err error) {
	plain, err := encode(all, state.Now)
	if err != nil {
		return false, err
	}
	err = s.conn.Call(ctx, "override.update", func(ctx context.Context, r redis.UniversalClient) (err error) {
		done, err = s.place.Replace(ctx, r, state, plain)
		return err
	})
	return done, err
}

// open returns what a place holds. An error says that it holds something that
// cannot be read: a key has not reached this replica yet, or somebody else wrote
// it.
func (s *Store) open(state redisconn.Stored) (override.Snapshot, error) {
	if state.Sealed == "" {
		return override.Snapshot{Empty: true}, nil
	}
	plain, err := s.place.Open(state)
	if err != nil {
		return override.Snapshot{}, err
	}
	all, err := decode(plain, state.Now)
	return override.Snapshot{All: all}, err
}

// openOrNothing is open where what cannot be read is about to be replaced: else
// whoever may write to Redis could keep operators from every order.
func (s *Store) openOrNothing(state redisconn.Stored) (override.Snapshot, error) {
	found, err := s.open(state)
	_, rejected := errors.AsType[*redisconn.RejectedError](err)
	if rejected || errors.Is(err, errDocument) {
		return override.Snapshot{Empty: true}, nil
	}
	return found, err
}
