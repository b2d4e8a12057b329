package traces_test

import (
	"net/http"
	"strings"
	"sync"
)

// gate stands in front of the upstream and holds requests until they are let
// through, so that what happens meanwhile is no matter of time.
type gate struct {
	next http.Handler

	mu      sync.Mutex
	held    []*hold
	watched map[string]chan struct{}
}

// hold is for requests whose target holds a mark.
type hold struct {
	gate    *gate
	mark    string
	arrived chan struct{} // closed when the first is here
	open    chan struct{}
	once    sync.Once
	opened  sync.Once
}

// hold begins to hold requests.
func (g *gate) hold(mark string) *hold {
	h := &hold{gate: g, mark: mark, arrived: make(chan struct{}), open: make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = append(g.held, h)
	return h
}

// watch returns what is closed once a request for the target has come.
func (g *gate) watch(target string) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.watched == nil {
		g.watched = map[string]chan struct{}{}
	}
	c := make(chan struct{})
	g.watched[target] = c
	return c
}

// release lets through those that are held, and all that come.
func (h *hold) release() { h.opened.Do(func() { close(h.open) }) }

// ServeHTTP implements [http.Handler].
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	held, next := g.held, g.next
	_, target, _ := strings.Cut(r.RequestURI[1:], "/") // below the service
	if seen := g.watched["/"+target]; seen != nil {
		close(seen)
		delete(g.watched, "/"+target)
	}
	g.mu.Unlock()
	for _, h := range held {
		if !strings.Contains(r.RequestURI, h.mark) {
			continue
		}
		h.once.Do(func() { close(h.arrived) })
		select {
		case <-h.open:
		case <-r.Context().Done():
			panic(http.ErrAbortHandler) // or it would be an answer
		}
	}
	next.ServeHTTP(w, r)
}
