package limiter

import (
	"testing"
	"time"
)

// TestLocalNamesWindows: an upstream that gives only the time to the window's
// end names it by that, by the store's clock; one that gives Reset is never
// mixed with that.
func TestLocalNamesWindows(t *testing.T) {
	seconds := Observation{Status: 200, Kind: Windowed, Limit: 100, Remaining: 99, ResetSeconds: 20, HasResetSeconds: true}
	for _, tt := range []struct {
		name   string
		before *Observation
		o      Observation
		named  bool
		want   time.Duration // from now
	}{
		{"seconds", nil, seconds, true, 20 * time.Second},
		{"seconds after a Reset", new(headers(1_000_000, 100, 99)), seconds, false, 0},
		{"no window", nil, Observation{Status: 200}, false, 0},
		{"only a limit", nil, Observation{Status: 200, Kind: LimitOnly, Limit: 5}, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, settings())
			a, b := d.want("a", Batch, deskWait), d.want("a", Batch, deskWait)
			ask := d.ask()
			first := d.known(ask, []int64{2}, 0)
			first.Name = 0
			d.answer(ask, first)
			if tt.before != nil {
				d.local.Answered(d.now, a.ticket, *tt.before)
			}
			told := len(d.local.seen)
			d.local.Answered(d.now, b.ticket, tt.o)
			if (len(d.local.seen) > told) != tt.named {
				t.Fatalf("%+v", d.local.seen)
			}
			if !tt.named {
				if d.local.unnamed != 1 {
					t.Errorf("%d answers without a name", d.local.unnamed)
				}
				return
			}
			want := d.now.Add(tt.want).UnixMilli()
			if got := d.local.seen[0].name; got%1000 != 0 || abs(got-want) > 1000 {
				t.Errorf("it is called %d, want about %d", got, want)
			}
		})
	}
}

// TestLocalTellsOfNoWindow: answers that name none are counted, and told at once
// while nothing is known.
func TestLocalTellsOfNoWindow(t *testing.T) {
	d := newDesk(t, settings())
	c := d.want("a", Batch, deskWait)
	ask := d.ask()
	cold := d.known(ask, []int64{1}, 0)
	cold.Mode, cold.Name, cold.Lo, cold.Hi, cold.Limit = ModeCold, 0, 0, 0, 0
	d.answer(ask, cold)
	d.local.Answered(d.now, c.ticket, Observation{Status: 429, Kind: LimitOnly, Limit: 1500})
	ask = d.ask()
	if ask.Unnamed != 1 || ask.Refused != 1 || ask.LimitSeen != 1500 || ask.Done != 1 || len(ask.Seen) != 0 {
		t.Errorf("%+v", ask)
	}
	d.answer(ask, d.coldGrant(ask, cold))
	c = d.want("a", Batch, deskWait)
	ask = d.ask()
	d.answer(ask, d.coldGrant(ask, cold))
	d.local.Lost(d.now, c.ticket)
	if ask = d.ask(); ask.Done != 1 || ask.Sent != 2 {
		t.Errorf("a lost probe is told as %+v", ask)
	}
}

func (d *desk) coldGrant(ask Ask, a Answer) Answer {
	a.Grants = make([]int64, len(ask.Uses))
	for i := range a.Grants {
		a.Grants[i] = ask.Uses[i].Waiting
	}
	return a
}

// TestLocalLeavesWhileSomeWait refuses them, and a replica that has never asked
// has nothing to give back.
func TestLocalLeavesWhileSomeWait(t *testing.T) {
	d := newDesk(t, settings())
	d.local.Leaving(d.now)
	d.quiet()
	if !d.local.Idle() {
		t.Error("a replica that has never asked is not idle")
	}
	d = newDesk(t, settings())
	c := d.want("a", Batch, time.Minute)
	ask := d.ask()
	d.local.Leaving(d.now)
	if c.refusal == nil || c.refusal.Reason != ReasonStore {
		t.Errorf("%+v", c.refusal)
	}
	d.answer(ask, d.known(ask, []int64{1}, 0))
	if ask = d.ask(); !ask.Leaving || ask.Sent != 0 || ask.Keep != 0 {
		t.Errorf("what came late is not given back: %+v", ask)
	}
}

// TestLocalAsksAhead: tokens for what is expected are asked for before the last
// one is spent, fewer when little is left, and none by capped callers.
func TestLocalAsksAhead(t *testing.T) {
	for _, tt := range []struct {
		name      string
		caller    string
		available int64
		replicas  int64
		want      int64
	}{
		{"plenty", "a", 1000, 1, 19},
		{"little is left", "a", 40, 1, 10},
		{"little for many", "a", 40, 5, 2},
		{"nothing", "a", 3, 1, 0},
		{"a capped caller", "capped", 1000, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := settings()
			s.Shares = []Share{{Caller: "capped", Cap: Amount{Tokens: 900}, Weight: 1}}
			d := newDesk(t, s)
			var ask Ask
			for range 20 {
				d.want(tt.caller, Batch, time.Minute)
				d.now = d.now.Add(askAgain)
				got, due := d.local.Ask(d.now)
				if !due {
					continue
				}
				ask = got
				a := d.known(ask, make([]int64, len(ask.Uses)), 0)
				a.Available, a.Replicas = tt.available, tt.replicas
				d.answer(ask, a)
			}
			// 20 a second, of which the last second is known in part.
			if low := tt.want - tt.want/2; ask.Ahead < low || ask.Ahead > tt.want {
				t.Errorf("%d ahead, want %d to %d", ask.Ahead, low, tt.want)
			}
		})
	}
}

// TestLocalAsksEarly: at the low-water mark, while some are left.
func TestLocalAsksEarly(t *testing.T) {
	d := newDesk(t, settings())
	d.store = &Shared{}
	up := &counter{limit: 10_000, span: time.Minute}
	waited := 0
	for i := range 400 {
		c := d.want("a", Batch, deskWait)
		if c.ticket == nil {
			t.Fatal("no token")
		}
		d.local.Answered(d.now, c.ticket, up.serve(d.now))
		d.trips()
		if i > 100 && c.ticket.Waited > 0 {
			waited++
		}
		d.pass(10 * time.Millisecond)
	}
	if waited > 0 || d.asks > 60 {
		t.Errorf("%d of 300 waited, %d trips for 400 requests", waited, d.asks)
	}
}

// TestLocalNewerWindowsAreNotFilledByOlder: when an answer names the next
// window, what named the old one is not in it. All beyond is others'.
func TestLocalNewerWindowsAreNotFilledByOlder(t *testing.T) {
	for _, tt := range []struct {
		name string
		old  int   // of three, those that named the old window
		want int64 // of five that the upstream has counted in the new one
	}{
		{"all but the one that tells", 2, 4},
		{"one is under way", 1, 3},
		{"two are", 0, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, settings())
			var calls []*callOf
			for range 3 {
				calls = append(calls, d.want("a", Batch, deskWait))
			}
			ask := d.ask()
			d.answer(ask, d.known(ask, []int64{3}, 0))
			for i := range tt.old {
				d.local.Answered(d.now, calls[i].ticket, headers(1_000_000, 100, 99-int64(i)))
			}
			d.local.Answered(d.now, calls[2].ticket, headers(1_060_000, 100, 95))
			seen := d.ask().Seen
			if last := seen[len(seen)-1]; last.Name != 1_060_000 || last.Used != 5 || last.Excess != tt.want {
				t.Errorf("%+v, want an excess of %d", last, tt.want)
			}
		})
	}
}
