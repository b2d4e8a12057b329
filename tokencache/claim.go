package tokencache

import (
	"context"
	"errors"
	"time"
)

const (
	// storeTimeout bounds each trip to the Store.
	storeTimeout = 50 * time.Millisecond

	// storePatience is for how long a Store that fails is asked again before
	// this process makes a token call that another replica may be making, too:
	// on a busy machine one trip may be late without anything being wrong. A
	// renewal has more time, as the old token serves.
	storePatience = 300 * time.Millisecond
	aheadPatience = 2 * time.Second

	// pollEvery is how often a replica that waits for another one's fetch
	// looks for its result.
	pollEvery = 50 * time.Millisecond

	// pollGrace: what the holder of the claim learns at the end of its own
	// time must reach those who wait.
	pollGrace = 250 * time.Millisecond
)

// verdict is what is to be done after a look at what is known.
type verdict int

const (
	verdictAsk  verdict = iota // the token endpoint
	verdictWait                // another replica is asking it
	verdictDone                // there is a token, or a reason why there is none
)

// look finds out what other replicas know, and waits while one of them is
// fetching. No token and no error means that this process is to ask the
// endpoint, with j.claim, or without if the Store is away.
func (e *entry) look(ctx context.Context, j *job) (*token, error) {
	patience := time.Now().Add(e.cache.options.FetchTimeout + pollGrace)
	answered := time.Now() // the Store, for the last time
	for {
		claim, lacks, err := e.claim(ctx, j.key)
		j.claim = claim // given back when the result is out
		if ctx.Err() != nil {
			return nil, errRetired
		}
		if err == nil {
			answered = time.Now()
		}
		verdict, t, why := e.judge(j, claim != nil || alone(err, j.reason, time.Since(answered)))
		if verdict == verdictWait && time.Now().After(patience) {
			verdict = verdictAsk // whoever holds the claim does not get on
		}
		if verdict != verdictWait {
			if lacks && why != nil && j.claim != nil {
				e.remind(ctx, j.claim)
			}
			return t, why
		}
		if !pause(ctx, jittered(pollEvery, e.cache.options.Random()), nil) {
			return nil, errRetired
		}
	}
}

// alone reports whether this process goes on without a Store that has failed
// with err for so long.
func alone(err error, reason Reason, failing time.Duration) bool {
	patience := storePatience
	if reason == ReasonAhead {
		patience = aheadPatience
	}
	return err != nil && (errors.Is(err, errAlone) || failing >= patience)
}

// claim asks for the right to fetch, and learns what the Store shows. It lacks
// refusals when this process knows more of them: a Store that has lost its
// state must not cost the account another three attempts.
func (e *entry) claim(ctx context.Context, key StoreKey) (claim Claim, lacks bool, err error) {
	store := e.cache.options.Store
	if store == nil {
		return nil, false, errAlone
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	asked := time.Now()
	claim, shared, err := store.Claim(ctx, key)
	if err != nil {
		e.cache.options.Hooks.storeFailed(e.id, "claim", err)
		return nil, false, err
	}
	learned := false
	defer func() {
		if !learned && claim != nil { // a hook panicked, and nobody else has the claim
			claim.Release()
		}
	}()
	lacks = e.learn(ctx, key, shared, asked)
	learned = true
	return claim, lacks, nil
}

// remind shares the refusals that the Store has lost. Where it fails, a later
// look tries again.
func (e *entry) remind(ctx context.Context, claim Claim) {
	e.mu.Lock()
	h := e.history
	e.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := claim.Fail(ctx, h); err != nil {
		e.cache.options.Hooks.storeFailed(e.id, "fail", err)
	}
}

// remindAnew reminds with a claim of its own.
func (e *entry) remindAnew(ctx context.Context) {
	if !e.takeTurn(ctx) {
		return
	}
	defer e.giveTurn()
	e.mu.Lock()
	key := e.key
	e.mu.Unlock()
	claim, lacks, err := e.claim(ctx, key)
	if err != nil || claim == nil {
		return
	}
	defer claim.Release()
	if lacks {
		e.remind(ctx, claim)
	}
}

// errAlone means that there is no Store.
var errAlone = errors.New("this process shares nothing")

// judge decides what is next, from what is known now. free means that no
// other replica is known to be fetching.
func (e *entry) judge(j *job, free bool) (verdict, *token, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now, t := time.Now(), e.current.Load()
	if t != j.held && t.usable(now) && t.key == e.key {
		return verdictDone, t, nil
	}
	if err := e.readyLocked(now, j.reason); err != nil {
		return verdictDone, nil, err
	}
	if !free {
		if e.history.lastFailure().After(j.wished) {
			return verdictDone, nil, e.notReadyLocked(now, j.reason)
		}
		return verdictWait, nil, nil
	}
	if j.reason == ReasonRejected && t == j.held {
		if err := e.mayReplaceLocked(now, t); err != nil {
			return verdictDone, nil, err
		}
	}
	j.history = e.history
	return verdictAsk, nil, nil
}

// tellFailure shares what a failed attempt has taught. lost means that
// another replica has claimed meanwhile.
func (e *entry) tellFailure(ctx context.Context, j *job, h History) (lost bool) {
	if j.claim == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	err := j.claim.Fail(ctx, h)
	if lost = errors.Is(err, ErrClaimLost); lost {
		j.claim.Release()
		j.claim = nil
		e.cache.options.Hooks.claimLost(e.id)
	} else if err != nil {
		e.cache.options.Hooks.storeFailed(e.id, "fail", err)
	}
	return lost
}

// jittered returns d, up to a quarter less.
func jittered(d time.Duration, random float64) time.Duration {
	return d - time.Duration(random*float64(d)/4)
}

// pause waits for d, less if way is given; false means that ctx has ended.
func pause(ctx context.Context, d time.Duration, way <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-way:
	case <-ctx.Done():
		return false
	}
	return true
}
