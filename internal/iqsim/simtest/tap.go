package simtest

import (
	"net/http"
	"strings"
	"sync"
)

// Tap stands before a simulation and notes every credential that comes with a
// request: what must be found nowhere else.
type Tap struct {
	next http.Handler

	mu   sync.Mutex
	seen map[string]bool
}

// NewTap returns a tap before next.
func NewTap(next http.Handler) *Tap {
	return &Tap{next: next, seen: make(map[string]bool)}
}

// ServeHTTP implements [http.Handler].
func (t *Tap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok {
		t.mu.Lock()
		t.seen[token] = true
		t.mu.Unlock()
	}
	t.next.ServeHTTP(w, r)
}

// All returns what was noted, without the scheme.
func (t *Tap) All() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]string, 0, len(t.seen))
	for token := range t.seen {
		list = append(list, token)
	}
	return list
}
