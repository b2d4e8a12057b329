package limiter

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"iqgateway/internal/steady"
)

// news is what a trip brought, for the hooks.
type news struct {
	name     Name
	duration time.Duration
	err      error
	answer   Answer
	refused  [2]int // 429s that are sorted now: expected, unexpected
	turned   bool   // the store went away with this trip, or came back
}

// depart begins a trip. The ask has its own func so that only here it is
// allocated.
func (b *bucket) depart(ask Ask) {
	b.limiter.trips.Go(func() { steady.Try(func() { b.carry(ask) }, b.panicked) })
}

// carry takes one ask to the store and its answer back.
func (b *bucket) carry(ask Ask) {
	sent := b.now()
	answer, err := b.askStore(ask)
	b.publish(b.carried(ask, sent, answer, err))
	if b.unused.Load() {
		b.limiter.sweep(b)
	}
}

// carried books a trip.
func (b *bucket) carried(ask Ask, sent time.Time, answer Answer, err error) []news {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	var first news
	if err != nil {
		b.local.Failed(now, ask, errors.Is(err, ErrStoreAway))
		alone := b.local.Alone()
		first = news{name: b.name(), err: err, turned: alone && !b.away}
		b.away = alone
	} else {
		first = b.took(now, sent, ask, answer)
	}
	first.duration = now.Sub(sent)
	return append([]news{first}, b.attend(now)...)
}

// askStore is one trip. A store that panics has failed: its goroutine is nobody
// else's.
func (b *bucket) askStore(ask Ask) (answer Answer, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the store panicked: %v", v)
			b.limiter.options.Hooks.panicked(b.name(), v, debug.Stack())
		}
	}()
	return b.trip(ask)
}

// trips asks the store about one bucket. The context is no request's: what one
// of them asks for serves all.
type trips struct {
	limiter *Limiter
	key     Key
}

func (t trips) acquire(ask Ask) (Answer, error) {
	ctx, cancel := context.WithTimeout(t.limiter.ctx, t.limiter.options.StoreTimeout)
	defer cancel()
	return t.limiter.options.Store.Acquire(ctx, t.key, ask)
}

// took gives the store's answer to the Local; b.mu is held.
func (b *bucket) took(now, sent time.Time, ask Ask, a Answer) news {
	b.local.Answer(now, sent, ask, a)
	b.span.Store(0)
	if a.Mode == ModeKnown { // what is assumed must not make a longer window absurd
		b.span.Store(a.Span)
	}
	unexpected := min(b.told, int(a.Unexpected))
	n := news{name: b.name(), answer: a, refused: [2]int{b.told - unexpected, unexpected}, turned: b.away}
	b.told, b.away = 0, false
	if ask.Leaving {
		b.gone()
	}
	return n
}

// publish tells the hooks; b.mu is not held.
func (b *bucket) publish(all []news) {
	h := &b.limiter.options.Hooks
	for _, n := range all {
		h.acquired(AcquireInfo{Bucket: n.name, Duration: n.duration, Err: n.err, Answer: n.answer})
		if n.turned {
			h.storeState(n.name, n.err)
		}
		if n.err != nil {
			continue
		}
		h.upstreamRefused(n.name, RefusedExpected, n.refused[0])
		h.upstreamRefused(n.name, RefusedUnexpected, n.refused[1])
		if n.answer.Closed != nil {
			h.windowClosed(n.name, *n.answer.Closed)
		}
		if n.answer.Repaired {
			h.repaired(n.name)
		}
		if n.answer.Conflict {
			h.conflict(n.name)
		}
	}
}
