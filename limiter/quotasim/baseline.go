package quotasim

import (
	"time"

	"iqgateway/limiter"
)

// rule is what a baseline does with the headers.
type rule struct {
	decrement bool // each request that is sent takes one of what is left
	inFlight  bool // requests under way are taken off what is left
	minimum   bool // within a window what is left only falls
	naive     bool // a window ends at the receipt of an answer + ResetSeconds
}

// baseline is a fleet with one common state and the rule.
type baseline struct {
	rule
	w         *world
	known     bool
	probing   bool
	limit     int64
	remaining int64
	underWay  int64
	name      time.Time     // of the window
	ends      time.Duration // when it is over; 0 = unknown
	waiting   []*request
}

func newBaseline(w *world, r rule) *baseline { return &baseline{w: w, rule: r} }

func (b *baseline) arrive(r *request) {
	patience := b.w.Settings.MaxWait[r.Class]
	b.waiting = append(b.waiting, r)
	b.w.after(patience, func() {
		if r.state == waiting {
			b.w.refuse(r, &limiter.Refusal{Reason: limiter.ReasonDeadline})
		}
	})
	b.pump()
}

func (b *baseline) leave(r *request) {
	b.w.refuse(r, &limiter.Refusal{Reason: limiter.ReasonLeft})
}

func (b *baseline) befall(FleetEvent) {}

func (b *baseline) ended(_ *request, as outcome) {
	b.underWay--
	b.probing = false
	switch {
	case as.fate == answered && as.answer.Kind == limiter.Windowed:
		b.learn(as.answer)
	case as.fate == unsent && b.decrement:
		b.remaining++
	}
	b.pump()
}

// learn takes the headers of an answer.
func (b *baseline) learn(o limiter.Observation) {
	tolerance := b.w.Upstream.Window / 4
	left := time.Duration(o.ResetSeconds) * time.Second
	b.limit = o.Limit
	switch {
	case b.naive:
		b.end(b.w.now + left)
		b.take(o.Remaining, !b.known)
	case !b.known || o.Reset.Sub(b.name) > tolerance:
		b.name = o.Reset
		b.end(b.w.now + left + time.Second)
		b.take(o.Remaining, true)
	case b.name.Sub(o.Reset) > tolerance:
		return // of a window that is over
	default:
		b.end(min(b.ends, b.w.now+left+time.Second))
		b.take(o.Remaining, false)
	}
	b.known = true
}

func (b *baseline) take(remaining int64, fresh bool) {
	if b.minimum && !fresh {
		remaining = min(remaining, b.remaining)
	}
	b.remaining = remaining
}

// end has the window rolled over at t.
func (b *baseline) end(t time.Duration) {
	if t == b.ends {
		return
	}
	b.ends = t
	b.w.at(t+5*time.Millisecond, func() {
		if b.ends == t {
			b.remaining = b.limit
			b.name = b.name.Add(b.w.Upstream.Window)
			b.end(t + b.w.Upstream.Window)
			b.pump()
		}
	})
}

// pump sends what may be sent.
func (b *baseline) pump() {
	for len(b.waiting) > 0 {
		r := b.waiting[0]
		if r.state == waiting {
			if !b.may() {
				return
			}
			b.send(r)
		}
		b.waiting = b.waiting[1:]
	}
}

func (b *baseline) may() bool {
	if !b.known {
		return !b.probing
	}
	left := b.remaining
	if b.inFlight {
		left -= b.underWay
	}
	return left > 0
}

func (b *baseline) send(r *request) {
	b.probing = true
	b.underWay++
	if b.decrement {
		b.remaining--
	}
	b.w.send(r)
}
