package breaker

import (
	"context"
	"slices"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	// claimWait is how long a request waits for the fleet's word on a probe.
	claimWait = 50 * time.Millisecond
	// claimLife is how long a claim outlives its replica. It is renewed with
	// each poll.
	claimLife = 6 * pollEvery
	// claimPause is how long a replica that got none asks for no other.
	claimPause = 100 * time.Millisecond
	// enoughAnswers is how many answers in a row that prove nothing (401, 403, 429)
	// are taken for a success: it answers, and may go on like that for ever.
	enoughAnswers = 5
	// probeMost is how long a probe may keep others waiting: one that hangs for
	// longer finds nothing out.
	probeMost = time.Minute
)

// probe is a request of a half-open breaker.
type probe struct {
	id      string
	began   time.Time
	done    func(error)
	claimed bool // in the store
	over    bool // its result is of no use any more
}

// claim asks the fleet for one of its probes. Where nobody answers, each replica
// is for itself. closed says that there is nothing to find out any more.
func (b *breaker) claim(ctx context.Context, p *probe) (_ *refusal, closed bool) {
	before := time.Now()
	granted, r, err := b.owner.claim(ctx, b, p.id)
	now := time.Now()
	b.mu.Lock()
	defer b.unlock()
	p.claimed = granted || err != nil               // after an error perhaps
	old := r.State == Closed && r.Version <= b.seen // it has not heard of us yet
	switch {
	case p.over: // the state has changed meanwhile
		b.giveBack(p)
		return b.refuse(now), false
	case p.claimed, old:
		return nil, false
	}
	b.drop(p)
	b.holdOff = now.Add(claimPause)
	if r.State == Open && r.Left > 0 {
		b.holdOff = now.Add(min(claimPause, r.Left))
	}
	b.adopt(before, r)
	if b.shown() == Closed {
		return b.refuse(now), true
	}
	if again := b.refuse(now); again != nil {
		return again, false
	}
	return b.refusal(now, ReasonProbing), false
}

// giveBack ends the claim of a probe, if it has one.
func (b *breaker) giveBack(p *probe) {
	if p.claimed {
		p.claimed = false
		b.returned = append(b.returned, p.id)
		b.owner.tell()
	}
}

// drop gives back the permit of a probe that finds nothing out.
func (b *breaker) drop(p *probe) {
	b.probes = slices.DeleteFunc(b.probes, func(q *probe) bool { return q == p })
	p.done(errExcluded)
	p.over = true
	b.giveBack(p)
}

// abandon drops probes that have hung for so long that they keep others out.
func (b *breaker) abandon(now time.Time) {
	for _, p := range slices.Clone(b.probes) {
		if now.Sub(p.began) > probeMost {
			b.drop(p)
		}
	}
}

// found books what a probe has found out.
func (b *breaker) found(p *probe, result Result, cause string, reached bool) {
	now := time.Now()
	b.mu.Lock()
	defer b.unlock()
	if result == Failure {
		b.last.add(now, cause)
	}
	switch {
	case p.over:
		b.giveBack(p)
		return
	case result == Excluded && !b.answeredEnough(reached):
		b.drop(p)
		return
	case result == Excluded:
		result = Success
	}
	b.probes = slices.DeleteFunc(b.probes, func(q *probe) bool { return q == p })
	if result == Success {
		b.unproven = 0
		p.done(nil)
	} else {
		p.done(errFailed)
	}
	b.giveBack(p)
	switch {
	case result == Failure:
		b.again(now, p.began, reached)
	case b.life.is(gobreaker.StateClosed):
		b.shut(now, ReasonRecovered, b.owner.options.Replica)
		b.report()
	}
}

// answeredEnough counts a probe that proved nothing.
func (b *breaker) answeredEnough(reached bool) bool {
	if reached {
		b.unproven++
	}
	return reached && b.unproven >= enoughAnswers
}

// endProbes makes what probes under way find of no effect: it is of another
// state. They hold their claims until they end.
func (b *breaker) endProbes() {
	for _, p := range b.probes {
		p.over = true
	}
	b.probes = nil
}
