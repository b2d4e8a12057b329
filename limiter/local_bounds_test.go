package limiter

import (
	"testing"
	"time"
)

// One stray Retry-After stops a replica for two windows at most, with the store
// or without.
func TestAStrayRetryAfterIsCut(t *testing.T) {
	d := newDesk(t, settings())
	a := d.want("a", Batch, deskWait)
	ask := d.ask()
	d.answer(ask, d.known(ask, []int64{1}, 0)) // windows of a minute
	o := refusedBy(1_000_000, 100, 50)
	o.RetryAfter = RetryAfter{Given: true, Delay: 365 * 24 * time.Hour}
	d.local.Answered(d.now, a.ticket, o)
	if got := d.local.paused - d.local.now; got != 2*time.Minute {
		t.Errorf("paused for %s", got)
	}
}

// A token that comes back after its lease has ended is the fleet's: it counts as
// spent there.
func TestATokenOfALeaseThatHasEndedIsVoid(t *testing.T) {
	for _, after := range []time.Duration{time.Second, 4 * time.Second} {
		d := newDesk(t, settings())
		a := d.want("a", Batch, deskWait)
		ask := d.ask()
		d.answer(ask, d.known(ask, []int64{1}, 0)) // for three seconds
		d.now = d.now.Add(after)
		d.local.Unsent(d.now, a.ticket)
		if held := d.local.pool.tokens; held == 1 != (after < 3*time.Second) {
			t.Errorf("after %s it holds %d", after, held)
		}
	}
}

// Without the store the least that an answer has left is what counts, in
// whatever order answers come.
func TestAloneBelievesTheLeastRest(t *testing.T) {
	for _, rests := range [][]int64{{40, 90, 70}, {90, 70, 40}, {70, 40, 90}} {
		var a alone
		for i, rest := range rests {
			a.observe(&Ticket{taken: moment(i)}, headers(1_000_000, 100, rest), 80)
		}
		if a.rest != 20 { // of 80 that the fleet may use, 60 are used
			t.Errorf("after %v: %d", rests, a.rest)
		}
	}
}
