package cache

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"iqgateway/internal/exchange"
	"iqgateway/internal/pathpattern"
)

// maxWriteEvents bounds what one write drops one by one; beyond, everything of
// the service is dropped.
const maxWriteEvents = 64

// write is a request that may have changed what is stored.
type write struct {
	service ServiceName
	path    string // raw, below the upstream's prefix
	// upstreams are where the service is, path prefix included: the target's,
	// and the host that a session prefers. nil elements are left out.
	upstreams []*url.URL
}

// writeEvents returns what a write drops, without IDs. h is the header of its
// answer, nil when there is none (RFC 9111, section 4.4).
//
// The target is dropped, in policy mode with all above and below it; so is what
// Location and Content-Location name on the upstream's own origin, and what
// rules name for the target. Every rule that the upstream may take the path for
// counts, whatever its place in the order: an event too many costs a fetch, a
// stale copy makes the next write fail. Events are for all credentials: another
// one may see the same data.
func writeEvents(s *Service, w write, h http.Header) []Event {
	folded, err := pathpattern.Fold(w.path)
	if err != nil { // nobody knows what the upstream took it for
		return []Event{{Kind: DropService, Service: w.service}}
	}
	events := eventList{service: w.service, kind: DropPath}
	if s.Mode == ModePolicy {
		events.kind = DropTree
	}
	events.addPath(folded)
	for _, name := range [...]string{"Location", "Content-Location"} {
		for _, reference := range h[name] {
			if path, ok := w.below(reference); ok {
				events.addPath(path)
			}
		}
	}
	for _, rule := range s.Rules {
		events.addRule(rule, folded)
	}
	if len(events.list) > maxWriteEvents {
		return []Event{{Kind: DropService, Service: w.service}}
	}
	return events.list
}

// eventList collects events, each once.
type eventList struct {
	service ServiceName
	kind    EventKind // of paths
	list    []Event
}

func (l *eventList) addPath(folded string) {
	l.add(Event{Kind: l.kind, Service: l.service, Path: folded})
}

func (l *eventList) addRule(r Rule, folded string) {
	if len(r.Invalidates) == 0 {
		return
	}
	values, ok := r.Path.CaptureFolded(folded)
	if !ok {
		return
	}
	for _, pattern := range r.Invalidates {
		filled := pattern.Fill(values)
		l.add(Event{Kind: DropPattern, Service: l.service, Path: filled.String(), pattern: filled})
	}
}

func (l *eventList) add(e Event) {
	same := func(other Event) bool { return other.Kind == e.Kind && other.Path == e.Path }
	if len(l.list) <= maxWriteEvents && !slices.ContainsFunc(l.list, same) {
		l.list = append(l.list, e)
	}
}

// below returns the folded path, below the upstream's prefix, of a reference in
// the write's answer. ok is false for what is on another origin, outside of the
// prefix or not readable.
func (w write) below(reference string) (folded string, ok bool) {
	for _, upstream := range w.upstreams {
		if upstream == nil {
			continue
		}
		base := *upstream
		prefix := strings.TrimSuffix(upstream.EscapedPath(), "/")
		base.RawPath = prefix + w.path
		if base.Path, ok = unescapedPath(base.RawPath); !ok {
			continue
		}
		u, err := base.Parse(reference)
		if err != nil || u.Opaque != "" || originOf(u) != originOf(upstream) {
			continue
		}
		if path, ok := cutPrefixFolded(u.EscapedPath(), prefix); ok {
			return path, true
		}
	}
	return "", false
}

func unescapedPath(raw string) (string, bool) {
	path, err := url.PathUnescape(raw)
	return path, err == nil
}

// originOf is the scheme, host and port of u in one spelling (RFC 9110, section
// 4.2.3 and 4.3.1).
func originOf(u *url.URL) string {
	scheme := strings.ToLower(u.Scheme)
	port := cmp.Or(u.Port(), exchange.DefaultPort(scheme))
	return scheme + "://" + strings.TrimSuffix(strings.ToLower(u.Hostname()), ".") + ":" + port
}

// cutPrefixFolded folds a path and cuts the folded prefix off it.
func cutPrefixFolded(path, prefix string) (string, bool) {
	if path == "" {
		path = "/"
	}
	folded, err := pathpattern.Fold(path)
	if err != nil {
		return "", false
	}
	if prefix == "" {
		return folded, true
	}
	foldedPrefix, err := pathpattern.Fold(prefix)
	if err != nil {
		return "", false
	}
	below, ok := strings.CutPrefix(folded, foldedPrefix)
	switch {
	case !ok || below != "" && below[0] != '/':
		return "", false
	case below == "":
		return "/", true
	default:
		return below, true
	}
}
