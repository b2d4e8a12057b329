package cache

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"iqgateway/internal/exchange"
)

// The bounds of what is counted apart. Services and callers come from the
// configuration and reasons from a closed set; what is beyond the bounds is
// counted as "other".
const (
	maxOutcomes = 64
	maxTallies  = 10_000
	otherName   = "other"
)

// Counts are what the cache did, since the process began.
type Counts struct {
	Hits            uint64            `json:"hits"`
	Misses          map[string]uint64 `json:"misses,omitempty"` // by reason
	Stale           map[string]uint64 `json:"stale,omitempty"`  // by reason
	Bypass          map[string]uint64 `json:"bypass,omitempty"` // by reason
	Coalesced       uint64            `json:"coalesced"`
	Revalidated     uint64            `json:"revalidated"`
	Stored          uint64            `json:"stored"`
	SavedCalls      uint64            `json:"saved_calls"`  // upstream requests that were not made
	SavedTokens     uint64            `json:"saved_tokens"` // quota tokens that they would have cost
	SuggestedHits   uint64            `json:"suggested_hits"`
	SuggestedMisses uint64            `json:"suggested_misses"`
}

// ServiceStats are the counts of one service.
type ServiceStats struct {
	Environment string `json:"environment"`
	Service     string `json:"service"`
	Counts
	Bytes   int64             `json:"bytes"`             // in memory now
	Callers map[string]Counts `json:"callers,omitempty"` // who asked
}

// Stats are all counts.
type Stats struct {
	Services []ServiceStats `json:"services"` // by environment and name
	Bytes    int64          `json:"bytes"`    // in memory now
	Entries  int            `json:"entries"`  // keys in memory now
	Evicted  uint64         `json:"evicted"`  // bytes, for want of room
}

// stats counts. Booking an exchange is two lookups without a lock and a few
// atomic additions.
type stats struct {
	outcomes atomic.Pointer[map[counted]int] // its place in every tally
	tallies  sync.Map                        // tallyKey -> *tally
	size     atomic.Int64                    // of tallies
	gone     atomic.Uint64

	mu sync.Mutex // of those who add a place
}

// counted is what came of an exchange, and why.
type counted struct {
	result exchange.CacheResult
	reason string
}

type tallyKey struct {
	service ServiceName
	caller  string
}

// tally is what one caller did with one service.
type tally struct {
	outcomes                        [maxOutcomes]atomic.Uint64
	stored, savedCalls, savedTokens atomic.Uint64
	suggestedHits, suggestedMisses  atomic.Uint64
}

func newStats() *stats {
	s := &stats{}
	s.outcomes.Store(&map[counted]int{})
	return s
}

// count books one exchange; tokens are what the upstream requests that it saved
// would have cost.
func (s *stats) count(service ServiceName, caller string, v exchange.CacheView, tokens int) {
	if v.Result == exchange.CacheNone {
		return
	}
	t := s.tally(service, caller)
	t.outcomes[s.place(v)].Add(1)
	if v.Saved > 0 {
		t.savedCalls.Add(uint64(v.Saved))
		t.savedTokens.Add(uint64(max(tokens, 0)))
	}
}

// stored books an answer that went into the store.
func (s *stats) stored(service ServiceName, caller string) { s.tally(service, caller).stored.Add(1) }

// suggested books what a suggested rule would have done.
func (s *stats) suggested(service ServiceName, caller string, hit bool) {
	if t := s.tally(service, caller); hit {
		t.suggestedHits.Add(1)
	} else {
		t.suggestedMisses.Add(1)
	}
}

// evicted books bytes that went for want of room.
func (s *stats) evicted(bytes int64) { s.gone.Add(uint64(max(bytes, 0))) }

func (s *stats) tally(service ServiceName, caller string) *tally {
	key := tallyKey{service, caller}
	if t, ok := s.tallies.Load(key); ok {
		return t.(*tally)
	}
	if s.size.Load() >= maxTallies {
		key = tallyKey{ServiceName{otherName, otherName}, otherName}
	}
	t, known := s.tallies.LoadOrStore(key, &tally{})
	if !known {
		s.size.Add(1)
	}
	return t.(*tally)
}

// place returns where an outcome is counted. Reasons of results that are told
// without one are left out.
func (s *stats) place(v exchange.CacheView) int {
	o := counted{result: v.Result}
	switch v.Result {
	case exchange.CacheMiss, exchange.CacheStale, exchange.CacheBypass:
		o.reason = v.Reason
	default:
	}
	if i, ok := (*s.outcomes.Load())[o]; ok {
		return i
	}
	return s.addOutcome(o)
}

// addOutcome keeps eight places for outcomes whose reasons are not told apart
// any more; there are seven results.
func (s *stats) addOutcome(o counted) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := *s.outcomes.Load()
	if i, ok := known[o]; ok {
		return i
	}
	if len(known) >= maxOutcomes-8 && o.reason != "" {
		o.reason = otherName
		if i, ok := known[o]; ok {
			return i
		}
	}
	more := make(map[counted]int, len(known)+1)
	maps.Copy(more, known)
	more[o] = len(known)
	s.outcomes.Store(&more)
	return more[o]
}

// Snapshot returns the counts; bytes come from the memory (nil = none).
func (s *stats) Snapshot(m *memory) Stats {
	services := map[ServiceName]*ServiceStats{}
	outcomes := *s.outcomes.Load()
	s.tallies.Range(func(key, value any) bool {
		k, counts := key.(tallyKey), value.(*tally).counts(outcomes)
		one := services[k.service]
		if one == nil {
			one = &ServiceStats{Environment: k.service.Environment, Service: k.service.Service, Callers: map[string]Counts{}}
			services[k.service] = one
		}
		one.Callers[k.caller] = counts
		one.add(counts)
		return true
	})
	all := Stats{Services: make([]ServiceStats, 0, len(services)), Evicted: s.gone.Load()}
	for name, one := range services {
		if m != nil {
			one.Bytes = m.bytesOf(name)
		}
		all.Services = append(all.Services, *one)
	}
	slices.SortFunc(all.Services, func(a, b ServiceStats) int {
		return cmp.Or(cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.Service, b.Service))
	})
	if m != nil {
		all.Bytes, all.Entries = m.bytes(), m.len()
	}
	return all
}

func (t *tally) counts(outcomes map[counted]int) Counts {
	c := Counts{
		Stored: t.stored.Load(), SavedCalls: t.savedCalls.Load(), SavedTokens: t.savedTokens.Load(),
		SuggestedHits: t.suggestedHits.Load(), SuggestedMisses: t.suggestedMisses.Load(),
	}
	for o, i := range outcomes {
		c.book(o, t.outcomes[i].Load())
	}
	return c
}

func (c *Counts) book(o counted, n uint64) {
	if n == 0 {
		return
	}
	switch o.result {
	case exchange.CacheHit:
		c.Hits += n
	case exchange.CacheCoalesced:
		c.Coalesced += n
	case exchange.CacheRevalidated:
		c.Revalidated += n
	case exchange.CacheStale:
		c.Stale = plus(c.Stale, o.reason, n)
	case exchange.CacheBypass:
		c.Bypass = plus(c.Bypass, o.reason, n)
	default:
		c.Misses = plus(c.Misses, o.reason, n)
	}
}

func plus(counts map[string]uint64, reason string, n uint64) map[string]uint64 {
	if counts == nil {
		counts = map[string]uint64{}
	}
	counts[reason] += n
	return counts
}

func (c *Counts) add(o Counts) {
	c.Hits += o.Hits
	c.Coalesced += o.Coalesced
	c.Revalidated += o.Revalidated
	c.Stored += o.Stored
	c.SavedCalls += o.SavedCalls
	c.SavedTokens += o.SavedTokens
	c.SuggestedHits += o.SuggestedHits
	c.SuggestedMisses += o.SuggestedMisses
	for _, by := range []struct {
		to   *map[string]uint64
		from map[string]uint64
	}{{&c.Misses, o.Misses}, {&c.Stale, o.Stale}, {&c.Bypass, o.Bypass}} {
		for reason, n := range by.from {
			*by.to = plus(*by.to, reason, n)
		}
	}
}
