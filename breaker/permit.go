package breaker

import (
	"context"
	"time"
)

// permit lets one request pass. It must be ended once, whatever happens; the
// zero value counts nothing.
type permit struct {
	b     *breaker
	life  *life
	probe *probe // nil = the breaker is closed
}

// refusal says why a request may not pass.
type refusal struct {
	b      *breaker
	state  State
	reason Reason
	wait   time.Duration // until it is worth trying again
	until  time.Time     // the breaker is open; zero = it is not
	forced *forced
	last   failed
}

// peek is the gate: it reports whether a permit may be had, and takes none.
func (b *breaker) peek() *refusal {
	if b.fast.Load() != nil {
		return nil
	}
	now := time.Now()
	b.mu.Lock()
	defer b.unlock()
	b.expire(now)
	if r := b.refuse(now); r != nil {
		return r
	}
	if b.forced == nil && b.state == HalfOpen {
		b.abandon(now)
		if len(b.probes) >= b.policy.Load().probes {
			return b.refusal(now, ReasonProbing)
		}
	}
	return nil
}

// allow takes a permit.
func (b *breaker) allow(ctx context.Context) (permit, *refusal) {
	if l := b.fast.Load(); l != nil {
		if l.begin() {
			return permit{b: b, life: l}, nil
		}
	}
	p, r := b.admit(time.Now())
	if p.probe == nil || b.owner.options.Store == nil {
		return p, r
	}
	switch r, closed := b.claim(ctx, p.probe); {
	case r != nil:
		return permit{}, r
	case closed: // another replica has found out
		return b.admit(time.Now())
	}
	return p, nil
}

// admit is allow for a breaker that is not simply closed, but for the claim of
// a probe.
func (b *breaker) admit(now time.Time) (permit, *refusal) {
	b.mu.Lock()
	defer b.unlock()
	b.expire(now)
	b.settle(now)
	switch r := b.refuse(now); {
	case r != nil:
		return permit{}, r
	case b.forced != nil:
		return permit{}, nil // whatever comes of it
	case b.state == Open:
		b.become(HalfOpen, now, ReasonTime, b.by)
	}
	if b.state == HalfOpen {
		b.abandon(now)
	}
	done, err := b.life.cb.Allow()
	if err != nil {
		return permit{}, b.refusal(now, ReasonProbing)
	}
	p := permit{b: b, life: b.life}
	if b.state == HalfOpen {
		p.probe = &probe{id: b.owner.probeID(), began: now, done: done}
		b.probes = append(b.probes, p.probe)
	} else if b.ramp.on {
		b.ramp.tokens--
	}
	return p, nil
}

// refuse returns why nothing may pass, nil if something may.
func (b *breaker) refuse(now time.Time) *refusal {
	switch {
	case b.forced != nil && b.forced.state == Open:
		return b.refusal(now, ReasonForced)
	case b.forced != nil:
		return nil
	case b.state == Open && now.Before(b.until):
		return b.refusal(now, b.reason)
	case b.state == HalfOpen && now.Before(b.holdOff):
		return b.refusal(now, ReasonProbing)
	case b.state == Closed && b.ramp.on:
		if b.ramp.fill(now); !b.ramp.on {
			b.refresh()
		} else if b.ramp.tokens < 1 {
			return b.refusal(now, ReasonRecovering)
		}
	}
	return nil
}

func (b *breaker) refusal(now time.Time, reason Reason) *refusal {
	r := &refusal{b: b, state: b.shown(), reason: reason, wait: b.policy.Load().openFor, last: b.last.newest()}
	switch {
	case reason == ReasonForced:
		f := *b.forced
		r.forced, r.until, r.wait = &f, f.until, f.until.Sub(now)
	case reason == ReasonRecovering:
		r.state, r.wait = HalfOpen, rampStep // to a caller it is not closed
	case b.state == Open:
		r.until, r.wait = b.until, b.until.Sub(now)
	}
	r.wait += time.Duration(b.owner.options.Random() * float64(r.wait) / 10)
	return r
}

// end books how a request has ended. cause names a failure; reached says that
// the upstream had to deal with it, and has answered if it is no failure.
func (p *permit) end(result Result, cause string, reached bool) {
	b := p.b
	if b == nil {
		return
	}
	p.b = nil
	switch {
	case p.probe != nil:
		b.found(p.probe, result, cause, reached)
	case result == Failure:
		b.failed(p, cause)
	case result == Success:
		p.life.book(nil)
	default: // counts as nothing
	}
	b.owner.options.Hooks.counted(Counted{Key: b.key, Result: result, Cause: cause, Probe: p.probe != nil})
}

// failed books a failure of a closed breaker.
func (b *breaker) failed(p *permit, cause string) {
	now := time.Now()
	b.mu.Lock()
	defer b.unlock()
	b.last.add(now, cause)
	p.life.book(errFailed)
	if b.life == p.life {
		b.settle(now)
	}
}
