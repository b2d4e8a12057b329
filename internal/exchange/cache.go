package exchange

import "time"

// CacheResult is what the cache did for an exchange; a closed set, fit for
// labels.
type CacheResult string

// The results.
const (
	CacheNone        CacheResult = ""            // the exchange never reached the cache
	CacheBypass      CacheResult = "bypass"      // nothing may be stored or reused for it
	CacheHit         CacheResult = "hit"         // a fresh stored answer
	CacheStale       CacheResult = "stale"       // a stored answer past its time, where a rule allows it
	CacheCoalesced   CacheResult = "coalesced"   // the answer to another request that ran at the same time
	CacheRevalidated CacheResult = "revalidated" // a stored answer that the upstream confirmed with 304
	CacheMiss        CacheResult = "miss"        // asked the upstream
)

// CacheView is what the cache decided about an exchange.
type CacheView struct {
	Result CacheResult
	// Reason says why it is no fresh hit: a word of the cache's own closed set
	// ("uri-miss", "vary-miss", "stale", "request", "rule", "quota", …).
	Reason string
	// Status is the gateway's member of Cache-Status without its name (RFC
	// 9211): "hit; ttl=28", "fwd=uri-miss; stored". "" = "fwd=bypass".
	Status string
	// Saved is how many upstream requests were not made because of it: 0 or 1.
	Saved int
	// At is when the lookup began, after the exchange had.
	At time.Duration
	// Time is what lookup and writing from the store took, waiting for another
	// request's answer included.
	Time time.Duration
}

// CacheDecided replaces what the cache has decided; when it began to look stays.
func (ex *Exchange) CacheDecided(v CacheView) {
	v.At = ex.Cache.At
	ex.Cache = v
}
