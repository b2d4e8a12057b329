package limiter

import (
	"sync"
	"time"
)

// waiter is a request at a bucket and the place where its owner waits for it.
type waiter struct {
	Request
	ticket  *Ticket
	refusal *Refusal
	left    standing      // after a ticket
	parked  bool          // its owner waits at done
	done    chan struct{} // holds one element once a parked one has been served
}

// waiters are reused: most requests are served within the call that brings
// them, and then cost no allocation but their ticket.
type waiters struct{ pool sync.Pool }

func newWaiters() *waiters {
	return &waiters{pool: sync.Pool{New: func() any {
		w := &waiter{done: make(chan struct{}, 1)}
		// Both are called with the bucket locked, so they must not block.
		w.Granted = func(t *Ticket) { w.ticket = t; w.wake() }
		w.Refused = func(r *Refusal) { w.refusal = r; w.wake() }
		return w
	}}}
}

func (w *waiter) wake() {
	if w.parked {
		w.done <- struct{}{}
	}
}

func (p *waiters) get(caller string, class Class, deadline time.Time) *waiter {
	w := p.pool.Get().(*waiter) // New makes nothing else
	w.Caller, w.Class, w.Deadline = caller, class, deadline
	return w
}

// put takes w back; it is out of the queue, and done is empty.
func (p *waiters) put(w *waiter) {
	w.ticket, w.refusal, w.left, w.parked, w.Caller = nil, nil, standing{}, false, ""
	p.pool.Put(w)
}
