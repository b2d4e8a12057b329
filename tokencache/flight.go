package tokencache

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"iqgateway/internal/secret"
)

// errStillRefused ends a fetch that only looked for new secrets.
var errStillRefused = errors.New("the refused secrets have not changed")

// fly is one fetch from start to end, in a goroutine of its own.
func (e *entry) fly(ctx context.Context, f *flight) {
	defer f.cancel()
	asked := time.Now()
	got, err := e.fetch(ctx, asked)
	info, called := e.land(f, asked, got, err)
	close(f.done)
	if called {
		e.cache.options.Hooks.fetchDone(info)
	}
}

// fetch returns what the endpoint grants. A panic (of a hook, of Reread) must
// not take the process along, nor leave callers waiting.
func (e *entry) fetch(ctx context.Context, now time.Time) (got grantedToken, err error) {
	defer func() {
		if value := recover(); value != nil {
			got, err = grantedToken{}, &FetchError{text: "the call panicked"}
			e.cache.options.Hooks.panicked(e.id, value, debug.Stack())
		}
	}()
	e.mu.Lock()
	cred := e.cred
	e.mu.Unlock()
	secrets, ok := e.reread(ctx, cred, now)
	if !ok {
		return grantedToken{}, errStillRefused
	}
	refresh := secret.Text{}
	if t := e.current.Load(); t != nil {
		refresh = t.refresh
	}
	return fetchToken(ctx, cred, secrets, refresh)
}

// reread returns the secrets to use. It forgives the refusals of earlier ones
// when they have changed; ok = false means that the credential is barred and
// they have not.
func (e *entry) reread(ctx context.Context, cred Credential, now time.Time) (use Secrets, ok bool) {
	var fresh Secrets
	var err error
	if cred.Reread != nil {
		fresh, err = cred.Reread(ctx)
		if err == nil {
			err = fresh.complete(cred.Grant)
		}
		if err != nil {
			e.cache.options.Hooks.rereadFailed(e.id, err)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.rereadAt = now
	if cred.Reread != nil && err == nil && !fresh.equal(e.secrets) {
		e.secrets = fresh
		e.history = history{}
	}
	return e.secrets, !now.Before(e.history.barred)
}

// land records the result and ends the flight. called is false when the
// endpoint was not asked at all.
func (e *entry) land(f *flight, asked time.Time, got grantedToken, err error) (info FetchInfo, called bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.flight = nil
	now := time.Now()
	info = FetchInfo{ID: e.id, Reason: f.reason, Duration: now.Sub(asked)}
	if errors.Is(err, errStillRefused) {
		f.err = &notReadyError{retryAfter: e.history.barred.Sub(now), cause: e.lastErr}
		return info, false
	}
	if err != nil {
		info.Outcome, info.Err = e.failLocked(now, err), e.lastErr
		f.err = &notReadyError{retryAfter: e.history.next(true).Sub(now), cause: e.lastErr}
		return info, true
	}
	f.token = e.storeLocked(asked, got)
	if f.reason == ReasonRejected {
		e.replacedAt = now
	}
	info.Outcome, info.Generation, info.Expires = OutcomeGranted, e.serial, f.token.life.expires
	return info, true
}

func (e *entry) storeLocked(asked time.Time, got grantedToken) *token {
	e.serial++
	t := &token{
		field:      got.field,
		generation: e.serial,
		life:       newLife(asked, got.lifetime, e.cred.RefreshAhead, e.cache.options.Random()),
	}
	if e.cred.Grant == GrantRefreshToken {
		t.refresh = got.refresh
	}
	e.history, e.lastErr, e.lastErrAt = history{}, nil, time.Time{}
	e.current.Store(t)
	return t
}

func (e *entry) failLocked(now time.Time, err error) Outcome {
	fetch, ok := errors.AsType[*FetchError](err)
	if !ok {
		fetch = &FetchError{text: describe(err)}
	}
	e.lastErr, e.lastErrAt = fetch, now
	if fetch.Refused {
		e.history = e.history.refused(now)
		return OutcomeRefused
	}
	e.history = e.history.failed(now, fetch.retryAfter, e.cache.options.Random())
	return OutcomeFailed
}
