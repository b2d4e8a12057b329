package cache

import (
	"hash/fnv"
	"net/http"
	"time"
)

// heuristicLimit is the longest time that an answer is taken for fresh without
// anybody having said so.
const heuristicLimit = 24 * time.Hour

// terms say how long an answer may be used, and how.
type terms struct {
	// Lifetime is how long it is fresh, from an age of 0. 0 = never.
	Lifetime time.Duration
	// WhileRevalidate and IfError are for how long beyond it may be used stale
	// (RFC 5861).
	WhileRevalidate time.Duration
	IfError         time.Duration
	// Revalidate: never used without asking the upstream (no-cache).
	Revalidate bool
	// AllowStale: may be used stale where the caller accepts it (max-stale):
	// nothing forbids it (RFC 9111, section 4.2.4).
	AllowStale bool
	// Immutable: does not change while it is fresh (RFC 8246).
	Immutable bool
}

// freshness decides how long an answer may be used. age is how old it was when
// it came (ageOf), received when that was. In ModePolicy r must not be nil.
func freshness(
	s *Service, r *Rule, key Key, status int, h http.Header, age time.Duration, received time.Time,
) terms {
	switch s.Mode {
	case ModePolicy:
		return policyTerms(r, key, status, age)
	case ModeRFC9111:
		return upstreamTerms(s, status, h, received)
	default:
		return terms{}
	}
}

// policyTerms are what a rule says, whatever the upstream does. A lifetime
// counts from when the answer came, so the age that it had then is added. What
// is stored in one moment does not expire in one: each key loses its own part,
// up to a twentieth, of the time.
func policyTerms(r *Rule, key Key, status int, age time.Duration) terms {
	ttl := policyTTL(r, status)
	if ttl <= 0 {
		return terms{}
	}
	t := terms{Lifetime: age + ttl - jitter(key, ttl/20)}
	if !isNegative(status) { // those live for as long as they were given, and no longer
		t.WhileRevalidate = r.StaleWhileRevalidate
		t.IfError = r.StaleIfError
		t.AllowStale = true
	}
	return t
}

// policyTTL returns for how long a rule keeps answers of a status; 0 = not.
func policyTTL(r *Rule, status int) time.Duration {
	switch status {
	case http.StatusOK, http.StatusNonAuthoritativeInfo, http.StatusNoContent,
		http.StatusMultipleChoices, http.StatusMovedPermanently, http.StatusPermanentRedirect:
		return r.TTL
	case http.StatusNotFound, http.StatusGone:
		return r.NegativeTTL
	}
	return 0
}

func isNegative(status int) bool {
	return status == http.StatusNotFound || status == http.StatusGone
}

// jitter returns a time below limit that is always the same for a key.
func jitter(key Key, limit time.Duration) time.Duration {
	if limit <= 0 {
		return 0
	}
	h := fnv.New64a()
	h.Write([]byte(key))
	return time.Duration(h.Sum64() % uint64(limit))
}

// responseDirectives returns what the upstream says about its answer, and
// whether a targeted field says it, beside which Cache-Control and Expires do
// not count (RFC 9213, section 2.2).
func responseDirectives(s *Service, h http.Header) (ds directives, targeted bool) {
	if s.Targeted {
		if ds, ok := parseCDNCacheControl(h["Cdn-Cache-Control"]); ok {
			return ds, true
		}
	}
	return parseCacheControl(h["Cache-Control"]), false
}

// upstreamTerms are what the upstream says (RFC 9111, section 4.2).
func upstreamTerms(s *Service, status int, h http.Header, received time.Time) terms {
	ds, targeted := responseDirectives(s, h)
	t := terms{Revalidate: ds.NoCache}
	var explicit bool
	if t.Lifetime, explicit = explicitLifetime(ds, targeted, h, received); !explicit && mayGuess(status, ds) {
		t.Lifetime = guessedLifetime(h, received)
	}
	t.Immutable = ds.Immutable && explicit
	// Sections 4.2.4 and 5.2.2.10: s-maxage means proxy-revalidate too.
	if ds.MustRevalidate || ds.ProxyRevalidate || ds.SMaxAge.Set || ds.NoCache {
		return t
	}
	t.AllowStale = true
	t.WhileRevalidate = ds.WhileRevalidate.For
	t.IfError = ds.IfError.For
	return t
}

// explicitLifetime returns the lifetime that the upstream names, if it names one
// (section 4.2.1). What it names wrongly is 0: stale from the start.
func explicitLifetime(ds directives, targeted bool, h http.Header, received time.Time) (time.Duration, bool) {
	switch lines := h["Expires"]; {
	case ds.SMaxAge.Set:
		return ds.SMaxAge.For, true
	case ds.MaxAge.Set:
		return ds.MaxAge.For, true
	case targeted || len(lines) == 0:
		return 0, false
	default:
		expires, ok := parseHTTPDateAt(lines[0], received)
		for _, line := range lines {
			ok = ok && line == lines[0]
		}
		if !ok { // section 5.3: a time in the past
			return 0, true
		}
		return bounded(expires.Sub(dateOf(h, received))), true
	}
}

// mayGuess reports whether a lifetime may be guessed (section 4.2.2): the status
// says that it is heuristically cacheable, or the upstream that it is public.
func mayGuess(status int, ds directives) bool {
	return ds.Public || isHeuristic(status)
}

// isHeuristic reports the statuses that RFC 9110, section 15.1, calls
// heuristically cacheable, but for 206.
func isHeuristic(status int) bool {
	switch status {
	case http.StatusOK, http.StatusNonAuthoritativeInfo, http.StatusNoContent,
		http.StatusMultipleChoices, http.StatusMovedPermanently, http.StatusPermanentRedirect,
		http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone,
		http.StatusRequestURITooLong, http.StatusNotImplemented:
		return true
	}
	return false
}

// guessedLifetime is a tenth of the time since the last change (section 4.2.2).
func guessedLifetime(h http.Header, received time.Time) time.Duration {
	modified, ok := parseHTTPDateAt(h.Get("Last-Modified"), received)
	if !ok {
		return 0
	}
	return min(bounded(dateOf(h, received).Sub(modified))/10, heuristicLimit)
}
