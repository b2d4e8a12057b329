package cache

import "time"

// Values of fwd (RFC 9211, section 2.2).
const (
	fwdBypass   = "bypass"
	fwdMethod   = "method"
	fwdURIMiss  = "uri-miss"
	fwdVaryMiss = "vary-miss"
	fwdMiss     = "miss"
	fwdRequest  = "request"
	fwdStale    = "stale"
	fwdPartial  = "partial"
)

// cacheStatus is a member of Cache-Status (RFC 9211). Either hit or fwd is set.
type cacheStatus struct {
	hit       bool
	fwd       string
	fwdStatus int // of the upstream; 0 = not said
	// ttl is what is left of the lifetime, negative when stale; hasTTL says that
	// it is known.
	ttl       time.Duration
	hasTTL    bool
	stored    bool
	collapsed bool
	detail    string
}

// String renders the parameters without the cache's name.
func (s cacheStatus) String() string { return "" }
