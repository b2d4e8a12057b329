package limiter

import "time"

// The ways in which an attempt ends. Each is told once per ticket.

func (b *bucket) unsent(t *Ticket) {
	b.do(func(now time.Time) { b.local.Unsent(now, t) })
}

// void reports whether a token that has waited must not be spent any more.
func (b *bucket) void(t *Ticket) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.local.Void(b.now(), t)
}

func (b *bucket) lost(t *Ticket) {
	b.do(func(now time.Time) { b.local.Lost(now, t) })
}

// answered learns from an answer. again says that it is a 429 whose request may
// be tried once more; only if it is replayable.
func (b *bucket) answered(t *Ticket, o Observation, replayable bool) (again bool) {
	var kind RefusedKind
	b.do(func(now time.Time) {
		if o.Refused() {
			kind = b.sort(now, o)
			// What a hidden limit wants is unknown: it is not asked twice.
			again = replayable && (kind != RefusedHidden || b.settings().Kind == Concurrency) && b.budget.spend()
		} else {
			b.budget.earn()
		}
		b.local.Answered(now, t, o)
	})
	if kind == RefusedHidden || kind == RefusedLate {
		b.limiter.options.Hooks.upstreamRefused(b.name(), kind, 1)
	}
	return again
}

// sort says what kind of 429 o is. Whether one of the current window was to be
// expected is known only once the store has heard of it. b.mu is held.
func (b *bucket) sort(now time.Time, o Observation) RefusedKind {
	if b.settings().Kind == Concurrency || o.Kind != Windowed || o.Remaining > 0 {
		return RefusedHidden
	}
	current := b.local.View(now, "")
	if !o.Reset.IsZero() && o.Reset.Before(current.Reset.Add(-current.Window/4)) {
		return RefusedLate
	}
	b.fresh++
	return refusedCurrent
}

// closed gives a slot back.
func (b *bucket) closed(t *Ticket) {
	b.do(func(now time.Time) { b.local.Closed(now, t) })
}

// resent books what the transport itself has sent again, on another connection:
// the upstream may have counted each of them.
func (b *bucket) resent(n int) {
	b.do(func(now time.Time) { b.local.Spend(now, int64(n)) })
}

// late is the refusal of a request whose time is over.
func (b *bucket) late(caller string, class Class, waited time.Duration) *Refusal {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.local.Late(b.now(), caller, class, waited)
}

// view shows the bucket to a caller.
func (b *bucket) view(caller string) View {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.local.View(b.now(), caller)
}

// window is the length of the bucket's window, 0 while it is unknown.
func (b *bucket) window() time.Duration {
	return time.Duration(b.span.Load()) * time.Millisecond
}

// retryBudget allows one repetition after an upstream's 429 per hundred
// answers, so that a limit nobody advertises is not hit twice as hard. The
// zero value allows one.
type retryBudget struct{ cents int }

const (
	retryCost = 100
	retryMost = 10 * retryCost // saved up at most
)

func (r *retryBudget) earn() { r.cents = min(r.cents+1, retryMost) }

func (r *retryBudget) spend() bool {
	if r.cents < 0 {
		return false
	}
	r.cents -= retryCost
	return true
}
