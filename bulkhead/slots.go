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
	places      int64 // given to those who waited
	first, last *waiter
}

// waiter is a request in the queue.
type waiter struct {
	ready      chan struct{} // closed when it has got a slot
	granted    bool
	place      int64 // smaller ones are served first
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
// Who comes back, with the waiter that it was, has its old place.
func (s *slots) queue(back *waiter) (*waiter, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.takeLocked() {
		return nil, true
	}
	w := &waiter{ready: make(chan struct{})}
	if back != nil {
		w.place = back.place
	} else {
		if s.waiting >= s.limit {
			return nil, false
		}
		s.places++
		w.place = s.places
	}
	s.insert(w)
	return w, true
}

// insert puts w behind those whose places are before its own.
func (s *slots) insert(w *waiter) {
	w.prev = s.last
	for w.prev != nil && w.prev.place > w.place {
		w.next, w.prev = w.prev, w.prev.prev
	}
	if w.prev == nil {
		s.first = w
	} else {
		w.prev.next = w
	}
	if w.next == nil {
		s.last = w
	} else {
		w.next.prev = w
	}
	s.waiting++
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
