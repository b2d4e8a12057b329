package proxy

import (
	"context"
	"net/url"
	"time"

	"iqgateway/internal/steady"
)

const (
	// storeBound ends a call of a store that does not keep its own 50 ms.
	storeBound = 100 * time.Millisecond
	// storePause lies between two updates of one session, and between two tries
	// after an error: an upstream that changes its cookie with every answer
	// costs one update a second.
	storePause = time.Second
	// renewEvery keeps a session that is in use in the store, which forgets it
	// after 20 minutes, and shows this replica what the others have learned.
	renewEvery = 5 * time.Minute
)

// ready makes sure that this replica has asked the store once for the fleet's
// session, and waits for that first answer: a new replica goes on with the
// session of the others instead of opening one of its own. Nothing later waits.
func (n *session) ready(ctx context.Context) {
	if n.store == nil {
		return
	}
	now := n.now()
	n.mu.Lock()
	s := &n.shared
	if s.loaded {
		owes := s.dirty() || now.Sub(s.saved) >= renewEvery
		n.mu.Unlock()
		if owes {
			n.save()
		}
		return
	}
	if s.loading == nil && !now.Before(s.nextLoad) {
		n.startLoad(now)
	}
	wait := s.loading
	if s.tried {
		wait = nil
	}
	n.mu.Unlock()
	if wait == nil {
		return
	}
	bound := time.NewTimer(storeBound)
	defer bound.Stop()
	select {
	case <-wait:
	case <-bound.C:
	case <-ctx.Done():
	}
}

// startLoad asks the store in the background; n is locked.
func (n *session) startLoad(now time.Time) {
	s, done := &n.shared, make(chan struct{})
	s.nextLoad = now.Add(storePause)
	started := n.owner.start(n.key, func(ctx context.Context) {
		defer func() {
			n.mu.Lock()
			s.loading, s.tried = nil, true
			n.mu.Unlock()
			close(done)
		}()
		n.load(ctx)
	})
	if started {
		s.loading = done
	}
}

// load asks the store once.
func (n *session) load(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, storeBound)
	defer cancel()
	fleet, err := n.store.Load(ctx, n.key)
	if err != nil {
		n.storeFailed("load", err)
		return
	}
	now := n.now()
	n.mu.Lock()
	n.shared.loaded, n.shared.saved = true, now
	origin, changed := n.adopt(fleet, now)
	n.mu.Unlock()
	n.adopted(origin, changed)
}

// save has the store updated in the background, by one goroutine at a time.
func (n *session) save() {
	if n.store == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	s := &n.shared
	if s.writing || n.now().Before(s.nextSave) {
		return // the writer will see it, or the next call here after the pause
	}
	s.writing = n.owner.start(n.key, n.write)
}

// write updates the store until nothing is owed any more.
func (n *session) write(ctx context.Context) {
	for n.writeOnce(ctx) {
	}
}

// writeOnce reports whether there is more to write; else n.save may begin again.
func (n *session) writeOnce(ctx context.Context) (more bool) {
	defer func() { // also after a panic
		n.mu.Lock()
		defer n.mu.Unlock()
		more = more && n.shared.dirty()
		n.shared.writing = more
	}()
	return n.update(ctx) && steady.Pause(ctx, storePause)
}

// update makes one update of the store.
func (n *session) update(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, storeBound)
	defer cancel()
	n.mu.Lock()
	change := n.take(n.now())
	n.mu.Unlock()
	fleet, err := n.store.Update(ctx, n.key, change.apply)

	now := n.now()
	n.mu.Lock()
	s := &n.shared
	s.saved = now // also after an error: renewing is not urgent
	if err != nil {
		s.giveBack(change)
		s.nextSave = now.Add(storePause)
		n.mu.Unlock()
		n.storeFailed("update", err)
		return false
	}
	s.loaded = true
	origin, changed := n.adopt(fleet, now)
	n.mu.Unlock()
	n.adopted(origin, changed)
	return true
}

func (n *session) adopted(origin *url.URL, changed bool) {
	if changed && n.hooks().Learned != nil {
		n.hooks().Learned(n.key, originText(origin))
	}
}

func (n *session) storeFailed(operation string, err error) {
	if n.hooks().StoreFailed != nil {
		n.hooks().StoreFailed(n.key, operation, err)
	}
}
