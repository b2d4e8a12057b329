package auth

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// When keys are fetched, and how long they are good for.
const (
	keySetEvery    = 10 * time.Minute // unless the answer says sooner
	keySetSoonest  = time.Minute
	keySetAskEvery = 30 * time.Second // for a key that nobody knows
	keySetWorth    = 24 * time.Hour   // of keys whose issuer is away
	keySetRetry    = time.Second      // after a failure; twice as long after each more
	keySetRetryMax = time.Minute

	// keySetPatience is how long a request waits for keys that were never
	// fetched, and maxKeySetWaiting how many do.
	keySetPatience   = 2 * time.Second
	maxKeySetWaiting = 256
)

// keySet holds the keys of one issuer. Its run fetches them, requests only read,
// but for the first keys of all, which they wait for shortly.
type keySet struct {
	issuer string
	fetch  fetchKeys
	hooks  KeySetHooks
	users  int           // generations; guarded by KeySets
	asked  chan struct{} // holds one if a fetch is wanted

	mu       sync.Mutex
	table    *keyTable     // nil = never fetched
	ended    chan struct{} // closed when the fetch under way, or the next one, has ended
	fetching bool
	tried    bool
	waiting  int // requests
	failures int // in a row
	fetches  int64
	failed   int64
	err      error
	lastAsk  time.Time
}

func newKeySet(issuer string, fetch fetchKeys, hooks KeySetHooks) *keySet {
	return &keySet{issuer: issuer, fetch: fetch, hooks: hooks, asked: make(chan struct{}, 1), ended: make(chan struct{})}
}

// run fetches until ctx ends.
func (s *keySet) run(ctx context.Context) {
	for {
		timer := time.NewTimer(s.refresh(ctx))
		select {
		case <-timer.C:
		case <-s.asked:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// refresh fetches once and returns when to do it again.
func (s *keySet) refresh(ctx context.Context) time.Duration {
	var table *keyTable
	var fresh time.Duration
	before := s.begin()
	err := context.Canceled // what a panic leaves
	defer func() { s.end(table, err) }()

	text, fresh, err := s.fetch(ctx)
	if err == nil {
		table, err = parseKeySet(text, before, time.Now())
	}
	if ctx.Err() != nil {
		return 0
	}
	s.report(before, table, err)
	if err != nil {
		return s.retryIn()
	}
	if fresh <= 0 {
		fresh = keySetEvery
	}
	return jittered(min(max(fresh, keySetSoonest), keySetEvery))
}

func (s *keySet) report(before, table *keyTable, err error) {
	if s.hooks.Fetched == nil {
		return
	}
	f := KeySetFetch{Issuer: s.issuer, Err: err}
	if err == nil {
		f.Keys, f.Dropped = len(table.all), table.dropped
		f.Changed = before == nil || !slices.Equal(before.all, table.all)
	}
	s.hooks.Fetched(f)
}

func (s *keySet) begin() *keyTable {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fetching = true
	return s.table
}

// end lets those who wait look again.
func (s *keySet) end(table *keyTable, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fetching, s.tried, s.err = false, true, err
	if err == nil {
		s.table, s.failures = table, 0
		s.fetches++
	} else {
		s.failures++
		s.failed++
	}
	close(s.ended)
	s.ended = make(chan struct{})
}

// retryIn grows with each failure; the one that asks is not counted yet.
func (s *keySet) retryIn() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return jittered(min(keySetRetry<<min(s.failures, 10), keySetRetryMax))
}

// jittered is d, give or take a tenth, so that replicas do not ask at once.
func jittered(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}

// keys returns the keys to judge a token by; nil = there are none right now. A
// request waits for the first ones of all only, and never for a fetch that failed
// already.
func (s *keySet) keys(ctx context.Context, now time.Time) *keyTable {
	table, ended := s.look(now)
	if ended == nil {
		return table
	}
	defer s.leave()
	timer := time.NewTimer(keySetPatience)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	case <-ctx.Done():
	}
	return s.usable(now)
}

// look returns the keys, or what to wait for.
func (s *keySet) look(now time.Time) (*keyTable, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.table != nil:
		return s.worth(now), nil
	case s.tried && !s.fetching, s.waiting >= maxKeySetWaiting:
		return nil, nil
	}
	s.waiting++
	return nil, s.ended
}

func (s *keySet) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting--
}

// usable returns the keys if there are any that still count.
func (s *keySet) usable(now time.Time) *keyTable {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.worth(now)
}

func (s *keySet) worth(now time.Time) *keyTable {
	if s.table == nil || now.Sub(s.table.at) > keySetWorth {
		return nil
	}
	return s.table
}

// ask wants a fetch, because no key that is here has signed a token. However many
// such tokens come, that is one fetch in 30 seconds.
func (s *keySet) ask(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.lastAsk.IsZero() && now.Sub(s.lastAsk) < keySetAskEvery {
		return
	}
	s.lastAsk = now
	select {
	case s.asked <- struct{}{}:
	default: // one is under way
	}
}

func (s *keySet) status() KeySetStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := KeySetStatus{Issuer: s.issuer, Err: s.err, Fetches: s.fetches, Failed: s.failed}
	if s.table != nil {
		status.Keys, status.Fetched = len(s.table.all), s.table.at
	}
	return status
}
