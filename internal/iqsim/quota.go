package iqsim

import (
	"sync"
	"time"
)

const (
	anchorClock = "clock"
	anchorFirst = "first"
	scopeClient = "client"
	scopeToken  = "token"
	scopeIP     = "ip"
)

// quotaKey names one counter: what the provider counts apart.
type quotaKey struct {
	environment string
	service     string // host stem, or api/{first segment}
	anonymous   bool
	holder      string // client id, token or address
}

// quotaCount is a counter after one call.
type quotaCount struct {
	limit     int
	used      int // in this window, at most limit
	resets    time.Time
	overspent bool // the call was refused
}

// quotaWindow is the state of one counter.
type quotaWindow struct {
	start time.Time
	used  int
	// refused calls of the window, for the ledger's reader.
	refused int
}

// quotas counts calls in fixed windows. It is safe for concurrent use.
type quotas struct {
	mu      sync.Mutex
	windows map[quotaKey]*quotaWindow
}

// sweepAt bounds the counters: above it, those of past windows are dropped.
const sweepAt = 4096

// windowRule is what decides where a window begins and ends.
type windowRule struct {
	length time.Duration
	anchor string
}

// start returns when the window that holds now began, given the one before.
func (r windowRule) start(now, before time.Time) time.Time {
	if r.anchor == anchorFirst {
		if !before.IsZero() && now.Before(before.Add(r.length)) {
			return before
		}
		return now.Truncate(time.Second)
	}
	return now.Truncate(r.length)
}

// count spends n calls of key's window at now; it refuses them all when they
// do not fit into limit. A negative limit always fits.
func (q *quotas) count(key quotaKey, limit, n int, now time.Time, rule windowRule) quotaCount {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.windows[key]
	if w == nil {
		q.sweep(now, rule)
		w = &quotaWindow{}
		q.windows[key] = w
	}
	if start := rule.start(now, w.start); !start.Equal(w.start) {
		*w = quotaWindow{start: start}
	}
	c := quotaCount{limit: limit, resets: w.start.Add(rule.length)}
	if limit >= 0 && w.used+n > limit {
		w.refused += n
		c.overspent = true
	} else {
		w.used += n
	}
	c.used = w.used
	return c
}

func (q *quotas) sweep(now time.Time, rule windowRule) {
	if len(q.windows) < sweepAt {
		return
	}
	for k, w := range q.windows {
		if !now.Before(w.start.Add(rule.length)) {
			delete(q.windows, k)
		}
	}
}

// QuotaState is one counter as the control endpoints show it.
type QuotaState struct {
	Environment string    `json:"environment"`
	Service     string    `json:"service"`
	Anonymous   bool      `json:"anonymous,omitempty"`
	Holder      string    `json:"holder"`
	Start       time.Time `json:"start"`
	Used        int       `json:"used"`
	Refused     int       `json:"refused"`
}

// state returns every counter.
func (q *quotas) state() []QuotaState {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := make([]QuotaState, 0, len(q.windows))
	for k, w := range q.windows {
		out = append(out, QuotaState{k.environment, k.service, k.anonymous, k.holder, w.start, w.used, w.refused})
	}
	return out
}

// reset forgets every counter, as if a new window began.
func (q *quotas) reset() {
	q.mu.Lock()
	defer q.mu.Unlock()
	clear(q.windows)
}
