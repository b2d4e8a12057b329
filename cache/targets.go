package cache

import (
	"net/http"
	"net/url"
)

// write is a request that may have changed what is stored.
type write struct {
	service ServiceName
	path    string // raw, below the upstream's prefix
	// upstreams are where the service is, path prefix included: the target's,
	// and the host that a session prefers. nil elements are left out.
	upstreams []*url.URL
}

// writeEvents returns what a write drops, without IDs. h is the header of its
// answer, nil when there is none.
func writeEvents(s *Service, w write, h http.Header) []Event {
	_, _, _ = s, w, h
	return nil
}

// ancestors returns the paths that stand above a folded one: itself cut at each
// "/" and "(", the longest first, without itself.
func ancestors(folded string) []string {
	_ = folded
	return nil
}
