package bulkhead

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// errDisplaced ends the wait of a request whose place another caller has got.
var errDisplaced = errors.New("its place went to a caller with fewer")

// slots are those of one upstream, and who waits for one.
type slots struct {
	users int   // guarded by the owner's lock
	use   int64 // the newest of its users; guarded by the owner's lock

	mu      sync.Mutex
	limit   int // 0 = no bound
	taken   int
	waiting int
	places  int64 // given to those who waited
	turns   int64 // slots given to those who waited
	callers map[string]*holder
	lines   []*line // those in which somebody waits
}

// holder is what one caller has of the slots and of the queue.
type holder struct {
	taken, waiting int
	lines          [classes]line
}

// line is those requests of one caller and class that wait.
type line struct {
	caller  *holder
	class   class
	waiters []*waiter // by place
	since   int64     // the turn at which it was served last, or began
}

// waiter is a request in the queue.
type waiter struct {
	line      *line
	ready     chan struct{} // closed when it has got a slot, or has lost its place
	granted   bool
	displaced bool
	place     int64 // smaller ones of a line are served first
}

// resize sets the number of slots. Those that are taken beyond it stay taken
// until they are given back.
func (s *slots) resize(limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = limit
	s.serve()
	for name, h := range s.callers { // they come and go with configurations
		if h.taken == 0 && h.waiting == 0 {
			delete(s.callers, name)
		}
	}
}

// take gets a slot at once, if one is free and nobody has waited for it longer.
// It returns whose slot it is, which free wants to know, or nil.
func (s *slots) take(caller string) *holder {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.lines) > 0 || s.full() {
		return nil
	}
	h := s.holder(caller)
	s.give(h)
	return h
}

func (s *slots) full() bool { return s.limit > 0 && s.taken >= s.limit }

func (s *slots) give(h *holder) {
	s.taken++
	h.taken++
}

func (s *slots) holder(caller string) *holder {
	h := s.callers[caller]
	if h == nil {
		h = &holder{}
		for c := range h.lines {
			h.lines[c] = line{caller: h, class: class(c)}
		}
		if s.callers == nil {
			s.callers = make(map[string]*holder)
		}
		s.callers[caller] = h
	}
	return h
}

// queue gets a place in the queue, or nil. Who comes back, with the waiter that
// it was, has its old place.
func (s *slots) queue(caller string, c class, back *waiter) *waiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.holder(caller).lines[c]
	w := &waiter{line: l, ready: make(chan struct{})}
	switch {
	case back != nil:
		w.place = back.place
	case s.waiting >= s.limit && s.limit > 0 && !s.makeRoom(l):
		return nil
	default:
		s.places++
		w.place = s.places
	}
	s.insert(w)
	s.serve()
	return w
}

// makeRoom reports whether somebody has lost its place to a newcomer in l.
func (s *slots) makeRoom(l *line) bool {
	from := displaced(s.lines, l)
	if from == nil {
		return false
	}
	w := from.waiters[len(from.waiters)-1]
	s.remove(w)
	w.displaced = true
	close(w.ready)
	return true
}

// insert puts w behind those of its line whose places are before its own.
func (s *slots) insert(w *waiter) {
	l := w.line
	if len(l.waiters) == 0 {
		l.since = s.turns
		s.lines = append(s.lines, l)
	}
	at := len(l.waiters)
	for at > 0 && l.waiters[at-1].place > w.place {
		at--
	}
	l.waiters = slices.Insert(l.waiters, at, w)
	l.caller.waiting++
	s.waiting++
}

func (s *slots) remove(w *waiter) {
	l := w.line
	at := slices.Index(l.waiters, w)
	l.waiters = slices.Delete(l.waiters, at, at+1)
	if len(l.waiters) == 0 {
		at := slices.Index(s.lines, l)
		s.lines = slices.Delete(s.lines, at, at+1)
	}
	l.caller.waiting--
	s.waiting--
}

// serve hands free slots to those whose turn it is.
func (s *slots) serve() {
	for len(s.lines) > 0 && !s.full() {
		l := next(s.lines, s.turns, s.limit)
		w := l.waiters[0]
		s.remove(w)
		s.turns++
		l.since = s.turns
		s.give(l.caller)
		w.granted = true
		close(w.ready)
	}
}

// wait returns when w has got a slot, with errDisplaced when it has lost its
// place, or with the cause of ctx's end.
func (s *slots) wait(ctx context.Context, w *waiter) error {
	select {
	case <-w.ready:
		if w.displaced {
			return errDisplaced
		}
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case w.granted: // in the same moment: somebody else may use it
		s.freeLocked(w.line.caller)
	case !w.displaced:
		s.remove(w)
	}
	return context.Cause(ctx)
}

// free gives a slot of h back.
func (s *slots) free(h *holder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.freeLocked(h)
}

func (s *slots) freeLocked(h *holder) {
	s.taken--
	h.taken--
	s.serve()
}

func (s *slots) addTo(state *UpstreamState, newest bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if newest {
		state.MaxInFlight = s.limit
	}
	state.InFlight += s.taken
	state.Waiting += s.waiting
}
