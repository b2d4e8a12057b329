package tokencache

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"runtime/debug"
	"time"

	"iqgateway/internal/secret"
)

// job is what one fetch works with. It stays as it was when the fetch began,
// whatever becomes of the credential meanwhile.
type job struct {
	*flight
	cred    Credential
	secrets Secrets
	key     StoreKey
	refresh secret.Text
	history History // before the attempt
	claim   Claim   // nil = none; released at the end
}

// result is what came of a job.
type result struct {
	token  *token
	err    error
	fresh  bool       // token is this process's own and not shared yet
	called *FetchInfo // nil = the endpoint was not asked
}

// fly is one fetch from start to end, in a goroutine of its own.
func (e *entry) fly(ctx context.Context, f *flight) {
	defer f.cancel()
	defer e.survive()
	if !e.takeTurn(ctx) {
		e.finish(&job{flight: f}, result{err: errRetired})
		return
	}
	j := &job{flight: f}
	r := e.bring(ctx, j)
	o := e.finish(j, r)
	if !e.conclude(ctx, r, o, j.claim) {
		e.shareLater(ctx, o)
	}
}

// conclude tells of a result and shares it (o is nil when there is nothing to
// share), and gives back what the fetch took: the claim (nil = none) and the
// turn.
func (e *entry) conclude(ctx context.Context, r result, o *offer, claim Claim) (shared bool) {
	defer e.giveTurn()
	if claim != nil {
		defer claim.Release()
	}
	e.tell(r)
	e.tidyFile()
	return o == nil || claim != nil && e.shareHeld(ctx, o, claim)
}

func (e *entry) takeTurn(ctx context.Context) bool {
	select {
	case e.turn <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (e *entry) giveTurn() { <-e.turn }

// bring gets a token from the Store or the endpoint. A panic (of a hook, of
// Reread, of a store) must not take the process along, nor leave callers
// waiting.
func (e *entry) bring(ctx context.Context, j *job) (r result) {
	defer func() {
		if value := recover(); value != nil {
			e.cache.options.Hooks.panicked(e.id, value, debug.Stack())
			r = e.failedSafely(ctx, j)
		}
	}()
	e.prepare(ctx, j)
	t, err := e.look(ctx, j)
	if t != nil || err != nil {
		return result{token: t, err: err}
	}
	r = e.call(ctx, j)
	if errors.Is(r.err, ErrClaimLost) {
		t, r.err = e.look(ctx, j)
		if r.token = t; t == nil && r.err == nil {
			r.err = e.notReady(j)
		}
	}
	return r
}

// failedSafely books a panic as a failure. The store that is told of it may be
// what panicked: it is not to take the end of the flight along.
func (e *entry) failedSafely(ctx context.Context, j *job) (r result) {
	defer func() {
		if value := recover(); value != nil {
			e.cache.options.Hooks.panicked(e.id, value, debug.Stack())
			r = result{err: e.notReady(j)}
		}
	}()
	return e.failed(ctx, j, time.Now(), &FetchError{text: "the call panicked"})
}

// prepare re-reads the secrets and what is on file about them.
func (e *entry) prepare(ctx context.Context, j *job) {
	e.reread(ctx, settleInFetch)
	e.readFile()
	e.mu.Lock()
	defer e.mu.Unlock()
	j.cred, j.secrets, j.key = e.cred, e.secrets, e.key
}

// call asks the token endpoint.
func (e *entry) call(ctx context.Context, j *job) result {
	limited, cancel := context.WithTimeout(ctx, e.cache.options.FetchTimeout)
	defer cancel()
	if t := e.current.Load(); t != nil && t.key == j.key && !t.refresh.IsZero() {
		j.refresh = t.refresh
	}
	j.asked.Store(true)
	asked := time.Now()
	got, err := fetchToken(limited, j.cred, j.secrets, j.refresh)
	if err != nil {
		return e.failed(ctx, j, asked, err)
	}
	if !(&token{life: newLife(asked, got.lifetime, 0, 0)}).usable(time.Now()) {
		// Waiting callers would have it fetched again without a pause.
		return e.failed(ctx, j, asked, &FetchError{Status: http.StatusOK, text: "the token had expired when it came"})
	}
	t := e.granted(j, asked, got)
	return result{token: t, fresh: true, called: &FetchInfo{
		ID: e.id, Reason: j.reason, Outcome: OutcomeGranted, Duration: time.Since(asked), Exchange: j.own,
		Generation: t.serial, Expires: t.life.expires,
	}}
}

// granted makes the endpoint's answer the current token. It serves at once;
// the Store learns of it afterwards.
func (e *entry) granted(j *job, asked time.Time, got grantedToken) *token {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := &token{
		field: got.field, key: j.key, account: j.secrets.account(), holder: e.cache.options.Replica,
		life: newLife(asked, got.lifetime, j.cred.RefreshAhead, e.cache.options.Random()),
	}
	if j.cred.Grant == GrantRefreshToken {
		t.refresh = got.refresh
	}
	if j.key == e.key {
		h := e.history.granted()
		if j.reason == ReasonRejected {
			h.ReplacedAt = time.Now()
		}
		e.setHistoryLocked(h)
	}
	e.installLocked(t)
	return t
}

func (e *entry) installLocked(t *token) {
	e.serial++
	t.serial = e.serial
	e.verdictAt = time.Time{}
	e.current.Store(t)
}

// failed notes an attempt without a token: here, on file, and in the Store,
// before anybody hears of it.
func (e *entry) failed(ctx context.Context, j *job, asked time.Time, err error) result {
	fetch, ok := errors.AsType[*FetchError](err)
	if !ok {
		fetch = &FetchError{text: describe(err)}
	}
	if ctx.Err() != nil && !fetch.Refused {
		// Given up, not failed: the others need not be told to wait, but to
		// take over.
		return result{err: errRetired}
	}
	info := &FetchInfo{ID: e.id, Reason: j.reason, Outcome: OutcomeFailed, Err: fetch, Duration: time.Since(asked), Exchange: j.own}
	if fetch.Refused {
		info.Outcome = OutcomeRefused
	}
	history, ours := e.note(j, fetch)
	if fetch.Refused && ours {
		e.writeFile(j.key, history.Refusals)
	}
	r := result{err: e.notReady(j), called: info}
	if e.tellFailure(ctx, j, history) {
		r.err = ErrClaimLost
	}
	return r
}

// note adds a failure to the history; ours is false when the secrets have
// changed since the attempt, to whose successors it means nothing.
func (e *entry) note(j *job, err *FetchError) (h History, ours bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	h = j.history
	if ours = j.key == e.key; ours {
		h = e.history
	}
	if err.Refused {
		h = h.refused(Refusal{ID: rand.Text(), At: now}, err)
	} else {
		h = h.failed(now, err)
	}
	if ours {
		e.setHistoryLocked(h)
	}
	return h, ours
}

func (e *entry) notReady(j *job) *notReadyError {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.notReadyLocked(time.Now(), j.reason)
}

// tell calls the hooks of an attempt. Whatever they do, it is shared.
func (e *entry) tell(r result) {
	defer e.survive()
	if r.called == nil {
		return
	}
	r.called.Took = time.Since(r.called.Exchange.Start)
	e.cache.options.Hooks.fetchDone(*r.called)
	if r.called.Outcome == OutcomeRefused {
		e.mu.Lock()
		info := RefuseInfo{ID: e.id, Refusals: len(e.history.Refusals)}
		info.Next, info.Stopped = barred(e.history.Refusals)
		e.mu.Unlock()
		e.cache.options.Hooks.refused(info)
	}
}

// finish hands the result to those who wait. The offer is nil when there is
// nothing to share.
func (e *entry) finish(j *job, r result) *offer {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.flight = nil
	j.token, j.err, j.told = r.token, r.err, r.called != nil
	close(j.done)
	if isKept(r.err) {
		e.verdictAt = time.Now()
	}
	if !r.fresh || e.cache.options.Store == nil {
		return nil
	}
	if e.offer != nil {
		e.offer.cancel()
	}
	e.offer = &offer{token: r.token, cancel: j.cancel, way: make(chan struct{}, 1)}
	return e.offer
}
