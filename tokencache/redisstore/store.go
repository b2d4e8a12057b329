package redisstore

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"iqgateway/internal/redisconn"
	"iqgateway/tokencache"
)

// DefaultLockTTL is how long a claim outlives a process that was killed or
// frozen.
const DefaultLockTTL = 3 * time.Second

// minLockTTL leaves room for three heartbeats.
const minLockTTL = 100 * time.Millisecond

// ErrClosed is returned for claims of a [Store] that was closed.
var ErrClosed = errors.New("the token store is closed")

// Options configure a [Store]. The zero value works.
type Options struct {
	// LockTTL is how long a claim lives without a sign of life, which its
	// holder gives three times as often. 0 = DefaultLockTTL, at least 100 ms.
	// Replicas may differ. A value near the connection's timeout loses claims to one slow
	// answer, and a second token call follows.
	LockTTL time.Duration
	// Now is the local clock; nil = time.Now. Its monotonic reading, where it
	// has one, keeps steps of the wall clock out of all conversions.
	Now   func() time.Time
	Hooks Hooks
}

// Store shares tokens through Redis; see tokencache.Store for the contract.
// Every method is one round trip, two when Redis has lost the script.
type Store struct {
	conn    *redisconn.Conn
	options Options
	scripts scripts

	closing chan struct{} // closed by Close: ends all heartbeats
	beats   sync.WaitGroup

	mu        sync.Mutex
	closed    bool
	ambiguous map[string]string // lock name -> owner of a claim whose answer was lost, until the next claim
}

var _ tokencache.Store = (*Store)(nil)

// New returns a Store over conn. It starts nothing and asks Redis nothing. The
// error is redisconn.ErrNoKeys where conn cannot seal values: tokens never lie
// in Redis in the clear.
func New(conn *redisconn.Conn, o Options) (*Store, error) {
	if !conn.Sealing() {
		return nil, fmt.Errorf("tokens cannot be shared through Redis: set redis.encryption_keys: %w", redisconn.ErrNoKeys)
	}
	if o.LockTTL == 0 {
		o.LockTTL = DefaultLockTTL
	}
	if o.LockTTL < minLockTTL {
		return nil, fmt.Errorf("a lock of %v cannot be kept alive: LockTTL must be %v or more", o.LockTTL, minLockTTL)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Store{
		conn:      conn,
		options:   o,
		scripts:   newScripts(),
		closing:   make(chan struct{}),
		ambiguous: map[string]string{},
	}, nil
}

// Close ends the heartbeats of all claims and waits for them. The claims
// themselves last until they are released or their lock runs out.
func (s *Store) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	s.mu.Unlock()
	s.beats.Wait()
	return nil
}

// Load implements tokencache.Store.
func (s *Store) Load(ctx context.Context, key tokencache.StoreKey) (tokencache.Shared, error) {
	k := s.keys(key)
	v, err := s.view(ctx, "token.load", k, s.scripts.load)
	if err != nil {
		return tokencache.Shared{}, err
	}
	return s.shared(k, v), nil
}

// Accepted implements tokencache.Store.
func (s *Store) Accepted(ctx context.Context, key tokencache.StoreKey, generation uint64) error {
	_, err := s.write(ctx, "token.accepted", s.keys(key), s.scripts.accepted, generation)
	return err
}

// Forget implements tokencache.Store. Forgetting the token also ends a claim
// under way, which may be about to bring back what was forgotten. Forgetting
// the history does not: the attempt under way may add its own outcome.
func (s *Store) Forget(ctx context.Context, key tokencache.StoreKey, what tokencache.Forgotten) error {
	_, err := s.write(ctx, "token.forget", s.keys(key), s.scripts.forget,
		number(what&tokencache.ForgetToken != 0), number(what&tokencache.ForgetHistory != 0))
	return err
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// keys are the names of one credential's state.
type keys struct{ state, token, history, lock string }

func (s *Store) keys(key tokencache.StoreKey) keys {
	k := s.conn.Key("token", key.Environment, key.Credential, hex.EncodeToString(key.Fingerprint[:]))
	return keys{state: k.Field("state"), token: k.Field("token"), history: k.Field("history"), lock: k.Field("lock")}
}

// all is what every script gets as KEYS, in that order.
func (k keys) all() []string { return []string{k.state, k.token, k.history, k.lock} }
