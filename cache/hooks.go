package cache

import (
	"time"

	"iqgateway/internal/exchange"
)

// Hooks report what the cache does. They are called synchronously, possibly by
// several goroutines at once; nil ones are skipped. All texts are bounded.
type Hooks struct {
	// Looked is called for each exchange that reached the cache, when it ends.
	Looked func(LookInfo)
	// Stored is called for each answer that was stored, with its size in bytes.
	Stored func(ServiceName, int)
	// Evicted is told of bytes that went for want of room.
	Evicted func(bytes int64)
	// Suggested is told what a rule would have done that is only suggested.
	Suggested func(s ServiceName, hit bool)
	// Invalidated is told of what was dropped, by kind.
	Invalidated func(kind EventKind, count int)
	// Refreshed is told of each background refresh.
	Refreshed func(WorkInfo)
	// Fetched is told of each shared fetch that has ended after the request which
	// had begun it, its leader, had left: it is in nobody's exchange.
	Fetched func(WorkInfo)
	// LogFailed and TierFailed are told why a shared store did not help.
	LogFailed  func(operation string, err error)
	TierFailed func(operation string, err error)
	// Panicked is told of a panic in a shared fetch, whose callers got an error,
	// or in a background refresh.
	Panicked func(s ServiceName, value any, stack []byte)
}

// LookInfo is one exchange that reached the cache.
type LookInfo struct {
	Service ServiceName
	Caller  string
	View    exchange.CacheView
	// Tokens of quota that were not spent because of it.
	Tokens int
	Took   time.Duration
}

// WorkInfo is work that has ended and for which nobody waits alone.
type WorkInfo struct {
	Service ServiceName
	Method  string // of its attempts
	// Exchange is its own: its Trace, the Link to the exchange that had it done where
	// that is of another trace, what it waited for and tried. It changes no more.
	Exchange *exchange.Exchange
	// Took counts from the Exchange's Start; of a shared fetch that is its leader's.
	Took time.Duration
	Err  error // nil if it brought an answer
}

func (h *Hooks) looked(i LookInfo) {
	if h.Looked != nil {
		h.Looked(i)
	}
}

func (h *Hooks) stored(s ServiceName, bytes int) {
	if h.Stored != nil {
		h.Stored(s, bytes)
	}
}

func (h *Hooks) evicted(bytes int64) {
	if h.Evicted != nil {
		h.Evicted(bytes)
	}
}

func (h *Hooks) suggested(s ServiceName, hit bool) {
	if h.Suggested != nil {
		h.Suggested(s, hit)
	}
}

func (h *Hooks) invalidated(kind EventKind, count int) {
	if h.Invalidated != nil && count > 0 {
		h.Invalidated(kind, count)
	}
}

func (h *Hooks) refreshed(i WorkInfo) {
	if h.Refreshed != nil {
		h.Refreshed(i)
	}
}

func (h *Hooks) fetched(i WorkInfo) {
	if h.Fetched != nil {
		h.Fetched(i)
	}
}

func (h *Hooks) logFailed(operation string, err error) {
	if h.LogFailed != nil {
		h.LogFailed(operation, err)
	}
}

func (h *Hooks) tierFailed(operation string, err error) {
	if h.TierFailed != nil {
		h.TierFailed(operation, err)
	}
}

func (h *Hooks) panicked(s ServiceName, value any, stack []byte) {
	if h.Panicked != nil {
		h.Panicked(s, value, stack)
	}
}
