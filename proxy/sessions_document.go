package proxy

import (
	"context"
	"time"
)

const (
	// documentFresh is how long a session document answers further callers: each
	// session call takes one of the few slots that the upstream has.
	documentFresh = time.Minute
	// failureFresh does the same for a session call that failed.
	failureFresh = time.Second
)

// sessionAnswer is what a session call brought.
type sessionAnswer struct {
	public    []byte // for callers, see readSession
	preferred string // PreferredEndpoint, "" when there is none
	refused   error  // why it is not used; nil = see preferredOrigin
}

// sessionCall makes one session call. Its context is that of the background.
type sessionCall func(ctx context.Context) (sessionAnswer, error)

// documents is what one session knows of session documents.
type documents struct {
	flight *documentFlight // the call under way
	latest documentFlight  // the last one that has ended
	asks   bool            // the store is being asked whether a call is needed
}

// documentFlight is one session call and its result, for all who wait.
type documentFlight struct {
	done   chan struct{}
	at     time.Time // when it ended
	public []byte
	err    error
}

func (f *documentFlight) fresh(now time.Time) bool {
	age := now.Sub(f.at)
	return f.public != nil && age < documentFresh || f.err != nil && age < failureFresh
}

// read returns a session document: a young one, or that of the call under way,
// or of a new one. learn says whether its PreferredEndpoint counts. A caller that
// leaves ends its own wait only.
func (n *session) read(ctx context.Context, call sessionCall, learn bool) ([]byte, error) {
	n.mu.Lock()
	if latest := n.document.latest; latest.fresh(n.now()) {
		n.mu.Unlock()
		return latest.public, latest.err
	}
	flight := n.fly(call, learn)
	n.mu.Unlock()
	if flight == nil {
		return nil, errSessionsClosed
	}
	select {
	case <-flight.done:
		return flight.public, flight.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// due reports whether it is time to have the upstream asked.
func (n *session) due(doubt bool) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.document.flight == nil && !n.document.asks && n.endpoint.due(doubt, n.now())
}

// refresh has the upstream asked in the background, when it is time to and no
// other replica has just done it: each call takes one of the slots that all
// share.
func (n *session) refresh(call sessionCall, doubt bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.document.asks || !n.endpoint.due(doubt, n.now()):
	case n.store == nil:
		n.fly(call, true)
	default:
		n.document.asks = n.owner.start(n.key, func(ctx context.Context) {
			defer n.askedStore(call, doubt)
			n.load(ctx)
		})
	}
}

// askedStore has the upstream asked if the fleet knows nothing newer.
func (n *session) askedStore(call sessionCall, doubt bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.document.asks = false
	if n.endpoint.due(doubt, n.now()) {
		n.fly(call, true)
	}
}

// fly returns the call under way, or begins one; n is locked. It is nil after
// the end of all background work.
func (n *session) fly(call sessionCall, learn bool) *documentFlight {
	if n.document.flight != nil {
		return n.document.flight
	}
	flight := &documentFlight{done: make(chan struct{}), err: errSessionsClosed}
	started := n.owner.start(n.key, func(ctx context.Context) {
		defer n.land(flight)
		n.ask(ctx, flight, call, learn)
	})
	if !started {
		return nil
	}
	n.document.flight = flight
	return flight
}

// ask makes the call of one flight.
func (n *session) ask(ctx context.Context, flight *documentFlight, call sessionCall, learn bool) {
	ctx, cancel := context.WithTimeoutCause(ctx, sessionTimeout, errTotal)
	defer cancel()
	began := n.now()
	answer, err := call(ctx)
	flight.public, flight.err = answer.public, err
	if n.hooks().Called != nil {
		n.hooks().Called(n.key, n.now().Sub(began), err)
	}
	switch {
	case err != nil:
		n.askLater()
	case learn:
		n.learnEndpoint(answer, began)
	}
}

// land ends a flight, whatever became of it.
func (n *session) land(flight *documentFlight) {
	n.mu.Lock()
	flight.at = n.now()
	n.document.flight, n.document.latest = nil, *flight
	n.mu.Unlock()
	close(flight.done)
}

// askLater puts the next question off after a call that failed.
func (n *session) askLater() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if next := n.now().Add(leaveAlone); n.endpoint.next.Before(next) {
		n.endpoint.next = next
	}
}
