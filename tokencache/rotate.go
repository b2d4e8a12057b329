package tokencache

import (
	"context"
	"errors"
	"time"
)

// How long new secrets must stay the same before they count: files of one
// credential are not written in one moment. A fetch does not wait for long.
const (
	settleInFetch = 100 * time.Millisecond
	settleInRun   = time.Second
	settleTries   = 5

	// rereadPatience is longer than new secrets take to settle.
	rereadPatience = 1500 * time.Millisecond
)

// errHangs means that a reading has not ended in rereadPatience.
var errHangs = errors.New("the secrets cannot be read in time")

// reread asks for the secrets and takes over new ones. Whatever is wrong with
// them, the last good ones stay. It does not wait for a mount that hangs: a
// token can be had without it.
func (e *entry) reread(ctx context.Context, settle time.Duration) {
	done := e.startReading(ctx, settle)
	if done == nil {
		return
	}
	timer := time.NewTimer(rereadPatience)
	defer timer.Stop()
	select {
	case <-done:
	case <-ctx.Done():
	case <-timer.C:
		e.complain(errHangs)
	}
}

// startReading starts a reading unless one is under way, of which there is
// one at most, however long it hangs. nil = there is nothing to read.
func (e *entry) startReading(ctx context.Context, settle time.Duration) (done <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.reading != nil || e.cred.Reread == nil {
		return e.reading
	}
	reading, cred, used := make(chan struct{}), e.cred, e.secrets
	e.reading, e.rereadAt = reading, time.Now()
	go func() {
		defer close(reading)
		defer e.endReading()
		defer e.survive()
		e.readOnce(ctx, cred, used, settle)
	}()
	return reading
}

func (e *entry) endReading() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reading = nil
}

func (e *entry) readOnce(ctx context.Context, cred Credential, used Secrets, settle time.Duration) {
	fresh, err := readSettled(ctx, cred, used, settle)
	e.complain(err)
	if err == nil && !fresh.equal(used) {
		e.rotate(fresh)
	}
}

// errUnsettled means that every reading gave something else.
var errUnsettled = errors.New("the secrets keep changing")

// readSettled returns what cred.Reread gives twice in a row.
func readSettled(ctx context.Context, cred Credential, used Secrets, settle time.Duration) (Secrets, error) {
	last := used
	for range settleTries {
		fresh, err := cred.Reread(ctx)
		if err == nil {
			err = fresh.complete(cred.Grant)
		}
		if err != nil || fresh.equal(last) {
			return fresh, err
		}
		last = fresh
		if !pause(ctx, settle, nil) {
			return used, nil
		}
	}
	return used, errUnsettled
}

// complain calls the hook once for each change of what is wrong.
func (e *entry) complain(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	e.mu.Lock()
	changed := text != e.complaint
	e.complaint = text
	e.mu.Unlock()
	if changed && err != nil {
		e.cache.options.Hooks.rereadFailed(e.id, err)
	}
}

// rotate makes fresh the secrets in use: another fingerprint, another state in
// the Store, nothing held against them. The current token keeps serving until
// another one has come. A configuration that is loaded with the new secrets
// finds this entry; where it was there first, this one takes its token over
// and stays by itself.
func (e *entry) rotate(fresh Secrets) {
	c := e.cache
	c.mu.Lock()
	e.mu.Lock()
	old, cred := e.key, e.cred
	cred.Secrets = fresh
	key := cred.key()
	if key == old { // it gave them another time, and back
		e.mu.Unlock()
		c.mu.Unlock()
		return
	}
	peer := c.entries[key]
	if c.entries[old] == e {
		delete(c.entries, old)
	}
	if peer == nil && e.users > 0 {
		c.entries[key] = e
	}
	e.key, e.secrets = key, fresh
	e.swapHistoryLocked(old, key)
	e.forgiven, e.seen = time.Time{}, seen{}
	e.onFile = fileState{} // the old file stays: secrets that come back are still refused
	if peer != nil {
		e.inheritLocked(peer.current.Load())
	}
	e.mu.Unlock()
	c.mu.Unlock()
	c.options.Hooks.rotated(e.id)
}

// succeed takes over the token of an entry of the same account that a reload
// is about to replace: new secrets that are wrong must not cost a token that is
// right.
func (e *entry) succeed(live map[*entry]struct{}) {
	for o := range live {
		o.mu.Lock()
		same := o.id == e.id && o.cred.TokenURL == e.cred.TokenURL && o.secrets.account() == e.secrets.account()
		o.mu.Unlock()
		if t := o.current.Load(); same && t.usable(time.Now()) {
			e.current.Store(t)
			e.serial = t.serial
		}
	}
}

// maxEarlier bounds what is remembered of earlier secrets.
const maxEarlier = 16

// swapHistoryLocked holds nothing against new secrets, but what it held
// against them before: files that change to and fro must not add up to a
// locked account.
func (e *entry) swapHistoryLocked(old, fresh StoreKey) {
	if e.refused == nil || len(e.refused) >= maxEarlier {
		e.refused = make(map[StoreKey]History)
	}
	if len(e.history.Refusals) > 0 {
		e.refused[old] = e.history
	}
	e.history = e.refused[fresh]
	delete(e.refused, fresh)
}

func (e *entry) inheritLocked(t *token) {
	if t.usable(time.Now()) && t.key == e.key {
		e.seen = seen{t.shared.Load(), t.life.issued}
		e.current.Store(t)
	}
}
