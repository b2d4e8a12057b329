package bulkhead

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"iqgateway/internal/exchange"
)

// CallersOptions are the settings of [NewCallers].
type CallersOptions struct{ Hooks CallerHooks }

// Callers counts the requests of callers across generations. It is safe for
// concurrent use.
type Callers struct {
	hooks CallerHooks

	mu     sync.Mutex
	counts map[string]*count
}

// count is what one caller has under way.
type count struct {
	n     atomic.Int64
	users int // guarded by the owner's lock
}

// NewCallers returns a set without callers.
func NewCallers(o CallersOptions) *Callers {
	return &Callers{hooks: o.Hooks, counts: make(map[string]*count)}
}

// Use returns the callers of one generation that have a limit, each with the
// number of requests that it may have under way on this replica. The CallerSet
// must be released once its generation serves no request any more.
func (c *Callers) Use(limits map[string]int) *CallerSet {
	set := &CallerSet{owner: c, callers: make(map[string]limited, len(limits))}
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, limit := range limits {
		if c.counts[name] == nil {
			c.counts[name] = &count{}
		}
		c.counts[name].users++
		set.callers[name] = limited{count: c.counts[name], limit: int64(limit)}
	}
	return set
}

func (c *Callers) release(names map[string]limited) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := range names {
		if c.counts[name].users--; c.counts[name].users == 0 {
			delete(c.counts, name)
		}
	}
}

// CallerSet is the callers of one generation. It is safe for concurrent use.
type CallerSet struct {
	owner   *Callers
	callers map[string]limited
	once    sync.Once
}

type limited struct {
	*count
	limit int64
}

// Release gives the callers back. More calls do nothing.
func (s *CallerSet) Release() {
	s.once.Do(func() { s.owner.release(s.callers) })
}

// Stage returns the inbound stage that holds one slot of the caller until the
// handler behind it has returned, and refuses with CallerBusy at once when all
// are taken: a caller that waits for itself would only take more memory.
//
// It needs the exchange's Caller; callers without a limit pass for nothing.
func (s *CallerSet) Stage(refuse func(http.ResponseWriter, *http.Request, error)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			caller := exchange.From(r.Context()).Caller
			if caller == nil {
				next.ServeHTTP(w, r)
				return
			}
			held, bounded := s.callers[caller.Name]
			if !bounded {
				next.ServeHTTP(w, r)
				return
			}
			if !held.take() {
				s.owner.hooks.refused(caller.Name)
				refuse(w, r, held.problem())
				return
			}
			defer held.n.Add(-1)
			next.ServeHTTP(w, r)
		})
	}
}

// take never counts a request that it refuses, not even for a moment: that
// would take the slot of another.
func (l limited) take() bool {
	for {
		n := l.n.Load()
		if n >= l.limit {
			return false
		}
		if l.n.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (l limited) problem() *exchange.Problem {
	p := exchange.Refuse(exchange.CallerBusy, fmt.Sprintf(
		"You have %d requests under way, as many as you may have at once (rate_limit.concurrency). Nothing was sent upstream.", l.limit))
	p.RetryAfter = retryAfter
	p.Extra = map[string]any{"limit": l.limit}
	return p
}
