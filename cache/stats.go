package cache

import "iqgateway/internal/exchange"

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
	Service ServiceName `json:"service"`
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

// stats counts.
type stats struct{}

func newStats() *stats { return &stats{} }

// count books one exchange; tokens are what its upstream requests that were
// saved would have cost.
func (s *stats) count(service ServiceName, caller string, v exchange.CacheView, tokens int) {}

// stored books an answer that went into the store.
func (s *stats) stored(service ServiceName, caller string) {}

// suggested books what a suggested rule would have done.
func (s *stats) suggested(service ServiceName, caller string, hit bool) {}

// evicted books bytes that went for want of room.
func (s *stats) evicted(bytes int64) {}

// Snapshot returns the counts; bytes come from the memory (nil = none).
func (s *stats) Snapshot(m *memory) Stats { return Stats{} }
