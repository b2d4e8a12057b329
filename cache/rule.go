package cache

import (
	"time"

	"iqgateway/internal/pathpattern"
)

// Mode is where freshness comes from.
type Mode int8

// The modes.
const (
	ModeNone    Mode = iota // nothing is stored
	ModePolicy              // rules say what is stored and for how long
	ModeRFC9111             // the upstream's own header fields do
)

// NoCache is what a caller's no-cache, max-age=0 or Pragma does in policy mode.
type NoCache int8

// The values; the zero value is NoCacheLimit.
const (
	NoCacheLimit  NoCache = iota // asks the upstream at most once a second for one key
	NoCacheObey                  // asks it each time. Danger: a caller spends the fleet's quota as it likes
	NoCacheIgnore                // is not heard
)

// Rule says how answers to a path are kept. It is immutable.
type Rule struct {
	Path pathpattern.Pattern // the raw path below the upstream's prefix
	// Version tells rules apart: it changes with any setting that changes what
	// is stored, the service's Version included. It is part of every key.
	Version string
	// Never says that answers are not stored in any mode, whatever the upstream
	// says. As a restriction it matches the folded path too.
	Never bool
	// TTL is how long an answer is fresh in ModePolicy; 0 = not stored.
	TTL time.Duration
	// NegativeTTL is how long a 404 or 410 is; 0 = not stored.
	NegativeTTL time.Duration
	// StaleWhileRevalidate and StaleIfError are RFC 5861's, in ModePolicy; 0 =
	// not at all.
	StaleWhileRevalidate time.Duration
	StaleIfError         time.Duration
	// PerCaller keeps an answer for the caller that asked, instead of for all
	// callers of the credential.
	PerCaller bool
	// Vary names request fields (canonical) that answers depend on. What is
	// neither here nor otherwise part of the key is not sent upstream.
	Vary []string
	// Tags are words by which answers can be purged.
	Tags    []string
	NoCache NoCache
	// Suggest: nothing is stored, but what would have hit is counted.
	Suggest bool
	// Invalidates are paths whose stored answers a write to Path drops. A {name}
	// that Path has too stands for the same text.
	Invalidates []pathpattern.Pattern
}

// ServiceName names one service in one environment.
type ServiceName struct {
	Environment string
	Service     string
}

// Service is how answers of one upstream are kept.
type Service struct {
	Mode Mode
	// Version changes with the upstream and whatever else changes what is stored
	// of the service. It is part of the keys of what no rule matches.
	Version string
	// Targeted, in ModeRFC9111, lets CDN-Cache-Control count instead of
	// Cache-Control and Expires (RFC 9213). Off by default: the field is meant
	// for a CDN, and the gateway is one only where its operator says so.
	Targeted bool
	// MaxObject is the largest body that is stored, in bytes.
	MaxObject int64
	// FetchTimeout bounds one fetch that callers share; 0 = 2 minutes.
	FetchTimeout time.Duration
	// Rules in the order in which they are tried: the first that matches counts.
	Rules []Rule
	// Forward are request fields (canonical) that go upstream beyond the usual
	// ones; they select a variant where a request has them.
	Forward []string
	// Writable says that some caller may write to the service, through this
	// fleet. Copies of what can be written do not outlive contact to the log of
	// invalidations by more than five seconds.
	Writable bool
}

func (s *Service) fetchTimeout() time.Duration {
	if s.FetchTimeout <= 0 {
		return defaultFetch
	}
	return s.FetchTimeout
}
