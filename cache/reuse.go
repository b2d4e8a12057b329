package cache

import "time"

// restlessLimit is how old a fresh answer is at least before a caller of
// ModePolicy can have the upstream asked again.
const restlessLimit = time.Second

// verdict is what a stored answer may be used for.
type verdict int8

// The verdicts.
const (
	verdictMiss                 verdict = iota // there is none: ask the upstream
	verdictFresh                               // it is the answer
	verdictStale                               // it is the answer, because the caller takes it stale
	verdictStaleWhileRevalidate                // it is the answer, and is to be refreshed meanwhile
	verdictRevalidate                          // the upstream is to confirm or replace it
	verdictUnavailable                         // no answer, and the upstream is not to be asked: 504
)

// Why a stored answer is not simply the answer: words of RFC 9211, section 2.2,
// where that has one. A closed set, fit for labels.
const (
	reasonNone            = ""
	reasonMiss            = "uri-miss"         // nothing is stored
	reasonStale           = "stale"            // it is no longer fresh, or never was
	reasonRequest         = "request"          // it is fresh, but the caller's directives exclude it
	reasonMaxStale        = "max-stale"        // of verdictStale
	reasonWhileRevalidate = "while-revalidate" // of verdictStaleWhileRevalidate
)

// reuse decides what a stored answer may be used for now, for a caller that
// wants w; o is nil where nothing is stored. Invalidation is not its matter: o
// is one that may be used at all (RFC 9111, section 4).
func reuse(o *Object, w want, now time.Time) (verdict, string) {
	v, reason := reuseOnline(o, w, now)
	if w.OnlyIfCached && (v == verdictMiss || v == verdictRevalidate) {
		v = verdictUnavailable
	}
	return v, reason
}

// reuseOnline is reuse where the upstream may be asked.
func reuseOnline(o *Object, w want, now time.Time) (verdict, string) {
	if o == nil {
		return verdictMiss, reasonMiss
	}
	age := currentAge(o, now)
	staleness := age - o.Lifetime // negative while it is fresh
	switch fresh := staleness < 0; {
	case o.Revalidate:
		return verdictRevalidate, reasonStale
	case fresh && (w.isContent(o, age) || w.isRestless(o, now)):
		return verdictFresh, reasonNone
	case fresh:
		return verdictRevalidate, reasonRequest
	case !w.takesStale(o, age):
		return verdictRevalidate, reasonStale
	case staleness < o.WhileRevalidate:
		return verdictStaleWhileRevalidate, reasonWhileRevalidate
	case w.MaxStale.Set && o.AllowStale:
		return verdictStale, reasonMaxStale
	}
	return verdictRevalidate, reasonStale
}

// mayServeOnError reports whether a stored answer may be used now where the
// upstream could not be asked, or failed (RFC 5861, section 4; RFC 9111, section
// 4.2.4).
func mayServeOnError(o *Object, w want, now time.Time) bool {
	if o == nil || o.Revalidate {
		return false
	}
	age := currentAge(o, now)
	staleness := age - o.Lifetime
	if staleness < 0 {
		return w.Limited || w.isContent(o, age)
	}
	if !w.bears(o, age) {
		return false
	}
	if o.AllowStale && (w.MaxStale.Set || staleness < w.IfError.For) {
		return true
	}
	return staleness < o.IfError
}

// isContent reports whether a fresh answer is what a caller wants. max-age does
// not count against one that is declared not to change; no-cache does (RFC 8246,
// section 2.1).
func (w want) isContent(o *Object, age time.Duration) bool {
	switch {
	case w.NoCache:
		return false
	case w.MaxAge.Set && !o.Immutable && (age > w.MaxAge.For || w.MaxAge.For == 0):
		return false
	}
	return o.Lifetime-age >= w.MinFresh.For
}

// isRestless reports whether a caller asks for more often than it is heard.
func (w want) isRestless(o *Object, now time.Time) bool {
	return w.Limited && now.Sub(o.Received) < restlessLimit
}

// takesStale reports whether a caller leaves room for a stale answer where a
// fresh one could be had. max-age without max-stale does not (RFC 9111, section
// 5.2.1.1).
func (w want) takesStale(o *Object, age time.Duration) bool {
	return w.bears(o, age) && (!w.MaxAge.Set || w.MaxStale.Set)
}

// bears reports whether a stale answer keeps within what a caller says itself: a
// bound is meant, also where the upstream or a rule would allow more.
func (w want) bears(o *Object, age time.Duration) bool {
	switch {
	case w.NoCache || w.MinFresh.Set:
		return false
	case w.MaxAge.Set && age > w.MaxAge.For:
		return false
	}
	return !w.MaxStale.Set || age-o.Lifetime <= w.MaxStale.For
}
