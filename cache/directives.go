package cache

import (
	"strings"
	"time"
)

// maxDelta is the longest time that a field can name, and what anything longer
// counts as (RFC 9111, section 1.2.2: 2^31 seconds).
const (
	maxDelta        = maxDeltaSeconds * time.Second
	maxDeltaSeconds = 1 << 31
)

// directives are what the Cache-Control fields of one message say. The zero
// value says nothing.
type directives struct {
	NoStore         bool
	NoCache         bool
	Private         bool
	Public          bool
	MustRevalidate  bool
	ProxyRevalidate bool
	MustUnderstand  bool
	Immutable       bool // RFC 8246
	OnlyIfCached    bool // of requests

	MaxAge          delta
	SMaxAge         delta
	WhileRevalidate delta // RFC 5861, section 3
	IfError         delta // RFC 5861, section 4: of responses and requests
	MinFresh        delta // of requests
	MaxStale        delta // of requests; without a value: maxDelta
}

// delta is a time in whole seconds that a directive names, if it is there.
type delta struct {
	Set bool
	For time.Duration
}

// parseCacheControl reads the field lines of Cache-Control, of a response or a
// request. It never fails: what it cannot understand is read in the way that
// reuses least.
//
//   - A time that is no number, or is given twice with different values, is the
//     worst of its kind: 0, of min-fresh maxDelta (RFC 9111, section 4.2.1: use
//     the first, or consider the answer stale).
//   - Directives that forbid are heard with or without an argument, those that
//     allow only as they are defined.
//   - no-cache and private with field names count as if they had none (sections
//     5.2.2.4 and 5.2.2.7 know that many caches do so), unless they name only
//     fields that are never stored.
//   - Each line is read for itself, and a quote that is never closed hides
//     nothing of what follows it.
func parseCacheControl(lines []string) directives {
	var ds directives
	for _, line := range lines {
		for line != "" {
			var d directive
			d, line = nextDirective(line)
			ds.add(d)
		}
	}
	return ds
}

// add counts one more directive in. Unknown ones are ignored (RFC 9111,
// section 5.2.3).
func (ds *directives) add(d directive) {
	bare := d.form == formBare
	switch lowered(d.name) {
	case "no-store":
		ds.NoStore = true
	case "no-cache":
		ds.NoCache = ds.NoCache || !onlyUnstored(d)
	case "private":
		ds.Private = ds.Private || !onlyUnstored(d)
	case "must-revalidate":
		ds.MustRevalidate = true
	case "proxy-revalidate":
		ds.ProxyRevalidate = true
	case "only-if-cached":
		ds.OnlyIfCached = true
	case "public":
		ds.Public = ds.Public || bare
	case "must-understand":
		ds.MustUnderstand = ds.MustUnderstand || bare
	case "immutable":
		ds.Immutable = ds.Immutable || bare
	case "max-age":
		ds.MaxAge.add(d, 0)
	case "s-maxage":
		ds.SMaxAge.add(d, 0)
	case "stale-while-revalidate":
		ds.WhileRevalidate.add(d, 0)
	case "stale-if-error":
		ds.IfError.add(d, 0)
	case "min-fresh":
		ds.MinFresh.add(d, maxDelta)
	case "max-stale":
		if bare { // "any", section 5.2.1.2
			d = directive{value: "2147483648", form: formToken}
		}
		ds.MaxStale.add(d, 0)
	}
}

// add counts one more value in; worst is what nonsense and contradiction count
// as.
func (v *delta) add(d directive, worst time.Duration) {
	n, ok := parseDelta(d.value)
	if !ok || d.form == formBare || d.form == formBroken || v.Set && v.For != n {
		n = worst
	}
	*v = delta{Set: true, For: n}
}

// onlyUnstored reports whether a directive names fields, and none but such as
// are never stored: then it asks for nothing that is not done anyhow.
func onlyUnstored(d directive) bool {
	if d.form != formToken && d.form != formQuoted {
		return false
	}
	for name := range strings.SplitSeq(d.value, ",") {
		name = strings.Trim(name, " \t")
		if !strings.EqualFold(name, "Set-Cookie") && !strings.EqualFold(name, "Set-Cookie2") {
			return false
		}
	}
	return true
}

// parseDelta reads delta-seconds: digits and nothing else.
func parseDelta(s string) (time.Duration, bool) {
	if s == "" {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
		n = min(n*10+int64(s[i]-'0'), maxDeltaSeconds)
	}
	return inSeconds(n), true
}

// inSeconds returns n seconds, but never less than none or more than maxDelta.
func inSeconds(n int64) time.Duration {
	return time.Duration(min(max(n, 0), maxDeltaSeconds)) * time.Second
}
