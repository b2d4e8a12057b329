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
)

// reread asks for the secrets and takes over new ones. Whatever is wrong with
// them, the last good ones stay.
func (e *entry) reread(ctx context.Context, settle time.Duration) {
	e.mu.Lock()
	cred, used := e.cred, e.secrets
	e.rereadAt = time.Now()
	e.mu.Unlock()
	if cred.Reread == nil {
		return
	}
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
	if key == old { // somebody else has noticed first
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
	e.history, e.forgiven, e.seen = History{}, time.Time{}, seen{}
	onFile := e.onFile.written
	e.onFile = fileState{}
	if peer != nil {
		e.inheritLocked(peer.current.Load())
	}
	e.mu.Unlock()
	c.mu.Unlock()
	if onFile {
		e.forgetFile(old)
	}
	c.options.Hooks.rotated(e.id)
}

func (e *entry) inheritLocked(t *token) {
	if t.usable(time.Now()) && t.key == e.key {
		e.seen = seen{t.shared.Load(), t.life.issued}
		e.current.Store(t)
	}
}
