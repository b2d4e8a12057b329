package bulkhead

import (
	"context"
	"sync"
)

// slots are those of one upstream, and who waits for one.
type slots struct {
	users int // guarded by the owner's lock

	mu          sync.Mutex
	limit       int // 0 = no bound
	taken       int
	waiting     int
	first, last *waiter
}

// waiter is a request in the queue.
type waiter struct {
	ready      chan struct{} // closed when it has got a slot
	granted    bool
	next, prev *waiter
}

// resize sets the number of slots. Those that are taken beyond it stay taken
// until they are given back.
func (s *slots) resize(limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = limit
	s.serve()
}

// take gets a slot at once, if one is free and nobody has waited for it longer.
func (s *slots) take() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.takeLocked()
}

func (s *slots) takeLocked() bool {
	if s.first != nil || s.limit > 0 && s.taken >= s.limit {
		return false
	}
	s.taken++
	return true
}

// queue gets a slot (nil, true), a place in the queue, or neither (nil, false).
func (s *slots) queue() (*waiter, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.takeLocked() {
		return nil, true
	}
	if s.waiting >= s.limit {
		return nil, false
	}
	w := &waiter{ready: make(chan struct{}), prev: s.last}
	if s.last == nil {
		s.first = w
	} else {
		s.last.next = w
	}
	s.last = w
	s.waiting++
	return w, true
}

// wait returns when w has got a slot, or with the cause of ctx's end.
func (s *slots) wait(ctx context.Context, w *waiter) error {
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.granted { // in the same moment: somebody else may use it
		s.freeLocked()
	} else {
		s.remove(w)
	}
	return context.Cause(ctx)
}

// free gives a slot back.
func (s *slots) free() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.freeLocked()
}

func (s *slots) freeLocked() {
	s.taken--
	s.serve()
}

// serve hands free slots to those who have waited longest.
func (s *slots) serve() {
	for s.first != nil && (s.limit == 0 || s.taken < s.limit) {
		w := s.first
		s.remove(w)
		s.taken++
		w.granted = true
		close(w.ready)
	}
}

func (s *slots) remove(w *waiter) {
	if w.prev == nil {
		s.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		s.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	s.waiting--
}

func (s *slots) addTo(state *UpstreamState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	state.MaxInFlight = s.limit
	state.InFlight += s.taken
	state.Waiting += s.waiting
}
