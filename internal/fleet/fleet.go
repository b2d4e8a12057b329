package fleet

import (
	"context"
	"crypto/rand"
	"sync"
	"sync/atomic"
	"time"
)

// Handler executes the commands of one kind on this replica. It must be safe
// for concurrent use, do no harm when it is asked for the same thing twice by
// two commands, and heed its context, which ends after [Patience]. A panic is
// an error. The error's text reaches operators and must hold no secret.
type Handler = func(ctx context.Context, payload []byte) error

// Options configure a [Fleet].
type Options struct {
	// Replica names this process among the others; empty = a random name. It
	// stands in the store in clear.
	Replica string
	// Version is shown to operators.
	Version string
	// Store is what the replicas share; nil = this replica is alone.
	Store Store
	// Handle has the handler of each kind of command. A replica that lacks a
	// kind (an older version) counts as not having followed.
	Handle map[string]Handler
	// Answer has the answerer of each kind of question.
	Answer map[string]Answerer
	// Interval is the time between two beats: 0 or more than a second = one
	// second, so that a beat may be lost within [Silence].
	Interval time.Duration
	Hooks    Hooks
}

// Fleet is this replica's place among the others. It is safe for concurrent
// use.
type Fleet struct {
	o       Options
	born    time.Time    // of this process, by its own clock; only differences count
	members atomic.Int64 // alive at the last beat
	skew    atomic.Int64 // of this clock at the last beat, in nanoseconds
	asking  asking       // questions of this replica

	mu   sync.Mutex
	self Member // what the next beat tells

	// waiting is since when no command could be read that may be later; zero =
	// the last one could. Only the one goroutine that follows uses it.
	waiting time.Time
}

// New returns a fleet that tells and hears nothing before [Fleet.Run].
func New(o Options) *Fleet {
	if o.Replica == "" {
		o.Replica = rand.Text()
	}
	if o.Interval <= 0 || o.Interval > time.Second {
		o.Interval = time.Second
	}
	f := &Fleet{o: o, born: time.Now(), self: Member{Replica: o.Replica, Version: o.Version}}
	f.members.Store(1)
	return f
}

// Members returns the replicas that are alive, by name. Alone, that is this
// one.
func (f *Fleet) Members(ctx context.Context) ([]Member, error) {
	if f.o.Store == nil {
		return []Member{{Replica: f.o.Replica, Version: f.o.Version, Config: f.config(), Started: f.born, Seen: time.Now()}}, nil
	}
	return f.o.Store.Members(ctx)
}

// Serve has the next beat tell which configuration this replica serves now.
func (f *Fleet) Serve(config string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.self.Config = config
}

func (f *Fleet) config() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.self.Config
}

// Size returns how many replicas were alive at the last beat, at least 1. It
// asks nobody.
func (f *Fleet) Size() int { return int(f.members.Load()) }

// ClockSkew is by how much this replica's clock is before the store's, as of the
// last beat that was answered; half of what that took is its error.
func (f *Fleet) ClockSkew() time.Duration { return time.Duration(f.skew.Load()) }
