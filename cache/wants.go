package cache

import (
	"net/http"
	"strings"
)

// want is what a caller's request allows to be done for it (RFC 9111, section
// 5.2.1). The zero value asks for nothing special.
type want struct {
	NoStore      bool // not to be stored; what is stored already may be used
	NoCache      bool // what is stored may be used only if the upstream confirms it
	OnlyIfCached bool // the upstream is not to be asked
	MaxAge       delta
	MinFresh     delta
	MaxStale     delta
	IfError      delta // RFC 5861, section 4
	// Limited: a fresh answer that came less than a second ago is good enough,
	// whatever the caller thinks of it.
	Limited bool
}

// requestWants reads the caller's directives. In ModeRFC9111 all are heard. In
// ModePolicy the rule says what those that spend the fleet's quota do; r must
// then not be nil.
func requestWants(s *Service, r *Rule, h http.Header) want {
	lines, pragma := h["Cache-Control"], h["Pragma"]
	if len(lines) == 0 && len(pragma) == 0 {
		return want{}
	}
	ds := parseCacheControl(lines)
	w := want{
		NoStore:      ds.NoStore,
		NoCache:      ds.NoCache || len(lines) == 0 && pragmaNoCache(pragma),
		OnlyIfCached: ds.OnlyIfCached,
		MaxAge:       ds.MaxAge,
		MinFresh:     ds.MinFresh,
		MaxStale:     ds.MaxStale,
		IfError:      ds.IfError,
	}
	if s.Mode != ModePolicy || r.NoCache == NoCacheObey {
		return w
	}
	w.Limited = true
	if r.NoCache == NoCacheIgnore {
		w.NoCache = false
		if w.MaxAge.For == 0 {
			w.MaxAge = delta{}
		}
	}
	return w
}

// pragmaNoCache reports the directive of HTTP/1.0, which counts only where there
// is no Cache-Control (RFC 9111, section 5.4).
func pragmaNoCache(lines []string) bool {
	for _, line := range lines {
		for member := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.Trim(member, " \t"), "no-cache") {
				return true
			}
		}
	}
	return false
}
