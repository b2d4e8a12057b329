package redisstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"

	"iqgateway/certs"
	"iqgateway/internal/redisconn"
	"iqgateway/internal/steady"
)

const (
	// DefaultLockTTL is how long a lock outlives a process that was killed.
	DefaultLockTTL = 15 * time.Second

	// patience is for how long a write is repeated while Redis is away: what it
	// writes may be a certificate that was just issued.
	patience = 5 * time.Second
	again    = 100 * time.Millisecond

	// unknownKeyGrace is how long a value sealed with an unknown key is an error
	// and not an absence.
	unknownKeyGrace = 5 * time.Minute

	// maxValue bounds a value, in bytes.
	maxValue = 256 << 10
)

// Options configure a [Store]. The zero value works.
type Options struct {
	// LockTTL is how long a lock lives without a sign of life, which its holder
	// gives three times as often. 0 = DefaultLockTTL.
	LockTTL time.Duration
	// Now is the local clock; nil = time.Now.
	Now   func() time.Time
	Hooks Hooks
}

// Hooks are called as things happen; nil ones are skipped.
type Hooks struct {
	// Discarded tells of something under one of the Store's names that the
	// Store cannot have written; field is file, index or tickets. Values that
	// do not open go to redisconn's Hooks.Rejected instead.
	Discarded func(field, reason string)
	// Panicked tells of a panic in a heartbeat, which ends with it: its lock
	// runs out.
	Panicked func(value any, stack []byte)
}

func (h Hooks) discarded(field, reason string) {
	if h.Discarded != nil {
		h.Discarded(field, reason)
	}
}

func (h Hooks) panicked(value any, stack []byte) {
	if h.Panicked != nil {
		h.Panicked(value, stack)
	}
}

// Store is safe for concurrent use.
type Store struct {
	conn    *redisconn.Conn
	options Options
	scripts scripts
	base    redisconn.Key

	closing chan struct{} // closed by Close: ends all heartbeats
	beats   sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	held    map[string]*held     // locks, by name
	unknown map[string]time.Time // since when a value cannot be opened, by key name
}

var (
	_ certmagic.Storage   = (*Store)(nil)
	_ certmagic.TryLocker = (*Store)(nil)
	_ certs.TicketStore   = (*Store)(nil)
)

// New returns a Store over conn, which starts nothing. The error is
// redisconn.ErrNoKeys where conn cannot seal values: private keys never lie in
// Redis in the clear.
func New(conn *redisconn.Conn, o Options) (*Store, error) {
	if !conn.Sealing() {
		return nil, fmt.Errorf("certificates cannot be shared through Redis: set redis.encryption_keys: %w", redisconn.ErrNoKeys)
	}
	if o.LockTTL == 0 {
		o.LockTTL = DefaultLockTTL
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Store{
		conn: conn, options: o, scripts: newScripts(), base: conn.Key("certs"),
		closing: make(chan struct{}), held: map[string]*held{}, unknown: map[string]time.Time{},
	}, nil
}

// persist repeats do while Redis is away, but not for long.
func (s *Store) persist(ctx context.Context, do func() error) error {
	began := s.options.Now()
	for {
		err := do()
		if !errors.Is(err, redisconn.ErrAway) || s.options.Now().Sub(began) >= patience || !steady.Pause(ctx, again) {
			return err
		}
	}
}
