package redisstore

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redisconn"
	"iqgateway/proxy"
)

const (
	// kind is what sealed values and their names are bound to.
	kind = "session"
	// life is how long a session outlives its last update. Replicas that use it
	// update it every few minutes.
	life = 20 * time.Minute
	// tries bounds an update that others keep overtaking.
	tries = 4
)

// ErrOvertaken says that other replicas updated the session all the time;
// nothing was changed.
var ErrOvertaken = errors.New("proxy/redisstore: other replicas keep changing the session")

// Discarded says why a stored session was treated as absent. What cannot be
// opened goes to the Rejected hook of redisconn instead.
type Discarded string

// The reasons of Hooks.Discarded.
const (
	DiscardedStale      Discarded = "stale"      // older than anything that Redis would still hold by itself
	DiscardedUnreadable Discarded = "unreadable" // opened, but not what this version writes
)

// Hooks observe a Store; a nil func is silent. They must not block.
type Hooks struct {
	Discarded func(reason Discarded)
}

// Store is a [proxy.SessionStore]. It is safe for concurrent use.
//
// Putting back an old value makes it unreadable, and putting it back together
// with its version makes it too old; see [redisconn.Versioned].
type Store struct {
	conn  *redisconn.Conn
	hooks Hooks
}

// New returns a Store over conn. Without encryption keys in conn its calls give
// [redisconn.ErrNoKeys]: session cookies stand for a login.
func New(conn *redisconn.Conn, hooks Hooks) *Store { return &Store{conn, hooks} }

func (s *Store) place(key proxy.SessionKey) redisconn.Versioned {
	return s.conn.Versioned(kind, life, key.Environment, key.Service, key.Upstream, key.Credential, key.Account)
}

// Load implements [proxy.SessionStore].
func (s *Store) Load(ctx context.Context, key proxy.SessionKey) (proxy.SharedSession, error) {
	if !s.conn.Sealing() {
		return proxy.SharedSession{}, redisconn.ErrNoKeys
	}
	p := s.place(key)
	var found proxy.SharedSession
	err := s.conn.CallIdempotent(ctx, "session.load", func(ctx context.Context, r redis.UniversalClient) error {
		state, err := p.Read(ctx, r)
		if err != nil {
			return err
		}
		found, err = s.open(p, state)
		return err
	})
	return found, err
}

// Update implements [proxy.SessionStore].
func (s *Store) Update(ctx context.Context, key proxy.SessionKey, change func(proxy.SharedSession) proxy.SharedSession) (proxy.SharedSession, error) {
	if !s.conn.Sealing() {
		return proxy.SharedSession{}, redisconn.ErrNoKeys
	}
	p := s.place(key)
	var result proxy.SharedSession
	err := s.conn.Call(ctx, "session.update", func(ctx context.Context, r redis.UniversalClient) error {
		for range tries {
			state, err := p.Read(ctx, r)
			if err != nil {
				return err
			}
			before, err := s.open(p, state)
			if err != nil {
				return err
			}
			result = change(before)
			plain, err := encode(result, state.Now)
			if err != nil {
				return err
			}
			if done, err := p.Replace(ctx, r, state, plain); done || err != nil {
				return err
			}
		}
		return ErrOvertaken
	})
	return result, err
}

// open returns what a place holds, nothing when it holds nothing usable.
func (s *Store) open(p redisconn.Versioned, state redisconn.Stored) (proxy.SharedSession, error) {
	if state.Sealed == "" {
		return proxy.SharedSession{}, nil
	}
	plain, err := p.Open(state)
	if _, rejected := errors.AsType[*redisconn.RejectedError](err); rejected {
		return proxy.SharedSession{}, nil // as if it were not there; counted by redisconn
	}
	if err != nil {
		return proxy.SharedSession{}, err
	}
	if state.Age() > life {
		s.discarded(DiscardedStale)
		return proxy.SharedSession{}, nil
	}
	session, err := decode(plain, state.Now)
	if err != nil {
		s.discarded(DiscardedUnreadable)
		return proxy.SharedSession{}, nil //nolint:nilerr // a newer version's value; ours will replace it
	}
	return session, nil
}

func (s *Store) discarded(reason Discarded) {
	if s.hooks.Discarded != nil {
		s.hooks.Discarded(reason)
	}
}
