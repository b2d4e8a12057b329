package breaker

import "time"

const (
	// rampStep is how long the load is held at what it was before the failure,
	// and again at twice as much.
	rampStep = time.Second
	// rampOver is how much of that load a step lets pass, all in all.
	rampOver = 1.05
	// rampLeast is how many requests a second always pass: of so few, none is
	// worth refusing.
	rampLeast = 10
	// rampBurst is how many may come at once: one caller's handful is no herd.
	// Where the load is large, it is rampBurstPart of a second's.
	rampBurst     = 10
	rampBurstPart = rampOver - 1
)

// ramp holds back the callers who have waited for a breaker to close, so that
// they do not all come in its first second.
type ramp struct {
	on       bool
	rate     float64 // a second
	tokens   float64
	start    time.Time
	refilled time.Time
}

func newRamp(now time.Time, steady float64) ramp {
	r := ramp{on: true, rate: max(steady, rampLeast), start: now, refilled: now}
	r.tokens = r.burst()
	return r
}

func (r *ramp) burst() float64 { return max(rampBurst, r.rate*rampBurstPart) }

// fill adds what has come in since, and ends the ramp when its time is over.
// What came at once counts: a step lets no more pass for it.
func (r *ramp) fill(now time.Time) {
	age := now.Sub(r.start)
	if age >= 2*rampStep {
		r.on = false
		return
	}
	rate := r.rate
	if age >= rampStep {
		rate *= 2
	}
	refill := rate*rampOver - r.burst()
	r.tokens = min(r.tokens+refill*now.Sub(r.refilled).Seconds(), r.burst())
	r.refilled = now
}
