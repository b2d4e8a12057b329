package limiter

import (
	"testing"
	"time"
)

// TestLocalHearsOfAnOpenedBucket although nobody waits: requests that must not
// wait would else be refused until the block was to end.
func TestLocalHearsOfAnOpenedBucket(t *testing.T) {
	d := newDesk(t, settings())
	blocked := func(ask Ask) {
		a := d.known(ask, make([]int64, len(ask.Uses)), 0)
		a.Blocked, a.Again = a.Now+time.Hour.Milliseconds(), a.Now+time.Hour.Milliseconds()
		d.answer(ask, a)
	}
	d.want("a", Interactive, 0)
	blocked(d.ask())
	d.pass(2 * heartbeat) // the request has left
	if ask, due := d.local.Ask(d.now); due {
		blocked(ask)
	}
	d.pass(5 * heartbeat)
	d.quiet()
	if c := d.want("a", Interactive, 0); c.refusal == nil || c.refusal.Reason != ReasonNoWait {
		t.Fatalf("%+v", c)
	}
	d.pass(heartbeat)
	ask := d.ask()
	d.answer(ask, d.known(ask, nil, 1)) // it is open
	if c := d.want("a", Interactive, 0); c.ticket == nil {
		t.Errorf("still refused: %+v", c.refusal)
	}
}
