package limiter

import (
	"testing"
	"time"
)

// A token that was not spent at once is void when its window is over, or while
// the upstream wants nothing.
func TestLocalVoid(t *testing.T) {
	pause := headers(1_000_000, 100, 90)
	pause.Status, pause.RetryAfter = 503, RetryAfter{Given: true, Delay: time.Second}
	watched := settings()
	watched.Enforce = false
	slots := settings()
	slots.Kind = Concurrency
	for _, tt := range []struct {
		name     string
		settings Settings
		answer   Observation
		next     bool // the fleet goes on to the next window
		blocked  bool // an operator blocks the bucket
		void     bool
	}{
		{"nothing has happened", settings(), headers(1_000_000, 100, 99), false, false, false},
		{"a pause", settings(), pause, false, false, true},
		{"the window is spent", settings(), refusedBy(1_000_000, 100, 0), false, false, true},
		{"another window", settings(), headers(1_000_000, 100, 99), true, false, true},
		{"a block", settings(), headers(1_000_000, 100, 99), false, true, true},
		{"only watched", watched, pause, true, false, false},
		{"requests at once", slots, Observation{Status: 200}, false, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, tt.settings)
			a, b := d.want("a", Batch, deskWait), d.want("a", Batch, deskWait)
			ask := d.ask()
			d.answer(ask, d.known(ask, []int64{2}, 0))
			d.local.Answered(d.now, a.ticket, tt.answer)
			d.now = d.now.Add(100 * time.Millisecond)
			if tt.next || tt.blocked {
				ask = d.askAfter(heartbeat)
				next := d.known(ask, nil, 0)
				if tt.next {
					next.Epoch, next.Name = 8, 1_060_000
				}
				if tt.blocked {
					next.Blocked = d.milli() + 60_000
				}
				d.answer(ask, next)
			}
			if got := d.local.Void(d.now, b.ticket); got != tt.void {
				t.Errorf("void %t, want %t", got, tt.void)
			}
		})
	}
}

// A token that goes back after its window gives its caller nothing of the next.
func TestLocalUnsentKeepsTheAccounts(t *testing.T) {
	d := newDesk(t, settings())
	a := d.want("a", Batch, deskWait)
	ask := d.ask()
	d.answer(ask, d.known(ask, []int64{1}, 0))
	ask = d.askAfter(heartbeat)
	next := d.known(ask, nil, 5)
	next.Epoch, next.Name = 8, 1_060_000
	d.answer(ask, next)
	d.local.Unsent(d.now, a.ticket)
	d.want("a", Batch, deskWait)
	if ask = d.askAfter(heartbeat); len(ask.Uses) != 1 || ask.Uses[0].Spent != 1 {
		t.Errorf("of the new window it has used %+v, want 1", ask.Uses)
	}
}
