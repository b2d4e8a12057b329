package limiter

import (
	"testing"
	"time"
)

// TestLocalView: what a caller is shown is never more than it could get.
func TestLocalView(t *testing.T) {
	shares := []Share{
		{Caller: "capped", Cap: Amount{Percent: 10}, Weight: 1},
		{Caller: "sure", Guarantee: Amount{Tokens: 30}, Weight: 1},
	}
	type shown struct {
		remaining, share, left, cap int64
		limiting                    bool
	}
	for _, tt := range []struct {
		name   string
		caller string
		change func(*Answer)
		then   func(*desk)
		want   shown
	}{
		{"a caller that was never seen", "new", nil, nil, shown{remaining: 50}},
		{"one with a use", "user", nil, nil, shown{remaining: 50, share: 100, left: 99}},
		{"little left for it", "user", func(a *Answer) { a.Left[0] = 3 }, nil, shown{remaining: 3, share: 100, left: 99}},
		{"nothing left", "user", func(a *Answer) { a.Left[0], a.Available = 0, 0 }, nil, shown{share: 100, left: 99}},
		{"blocked", "user", func(a *Answer) { a.Blocked = a.Now + 1000 }, nil, shown{share: 100, left: 99}},
		{"a guarantee", "sure", nil, nil, shown{remaining: 50, share: 30, left: 30}},
		{"a cap", "capped", nil, nil, shown{remaining: 10, cap: 10}},
		{"the fleet has told who used most", "user", func(a *Answer) { a.Top = []Usage{{"user", 70}} }, nil, shown{remaining: 49, share: 100, left: 30}},
		{"after the window", "user", func(a *Answer) { a.Left[0] = 3 }, func(d *desk) { d.now = d.now.Add(31 * time.Second) }, shown{remaining: 100, share: 100, left: 100}},
		{"after a 429", "user", nil, func(d *desk) {
			c := d.want("user", Batch, time.Minute)
			d.answer(d.ask(), d.known(d.local.ask.flight.ask, []int64{1}, 0))
			d.local.Answered(d.now, c.ticket, refusedBy(1_000_000, 100, 0))
		}, shown{share: 100, left: 98}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := settings()
			s.Shares = shares
			d := newDesk(t, s)
			d.want("user", Batch, deskWait)
			ask := d.ask()
			a := d.known(ask, []int64{1}, 0)
			a.Left[0]--
			if tt.change != nil {
				tt.change(&a)
			} else {
				a.Left[0] = 50
			}
			d.answer(ask, a)
			if tt.then != nil {
				tt.then(d)
			}
			v := d.local.View(d.now, tt.caller)
			if got := (shown{v.Remaining, v.Share, v.ShareRemaining, v.Cap, v.Limiting}); got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
			if !v.Known || v.Mode != ModeKnown || v.Limit != 100 || v.Window != time.Minute {
				t.Errorf("%+v", v)
			}
		})
	}
}

// TestLocalViewOfTheWindow: when it ends and what it is called.
func TestLocalViewOfTheWindow(t *testing.T) {
	d := newDesk(t, settings())
	if v := d.local.View(d.now, "a"); v.Known || v.Mode != ModeCold || v.Limit != 0 || v.Remaining != 0 {
		t.Errorf("of nothing: %+v", v)
	}
	c := d.want("a", Batch, deskWait)
	ask := d.ask()
	d.answer(ask, d.known(ask, []int64{1}, 0))
	o := headers(1_000_000, 100, 99)
	o.ResetForm = ResetISO
	d.local.Answered(d.now, c.ticket, o)
	v := d.local.View(d.now, "a")
	if v.Reset.UnixMilli() != 1_000_000 || v.Form != ResetISO || v.Opens < 30*time.Second || v.Opens > 30*time.Second+5*time.Millisecond {
		t.Errorf("%+v", v)
	}
	d.now = d.now.Add(31 * time.Second)
	if v = d.local.View(d.now, "a"); !v.Reset.IsZero() || v.Opens != 0 {
		t.Errorf("of a window that is over: %+v", v)
	}
}

// TestLocalViewAlone: without the store the upstream's word counts.
func TestLocalViewAlone(t *testing.T) {
	d := away(t, settings())
	d.store, d.outage = &Shared{}, true
	c := d.want("a", Batch, time.Minute)
	if c.ticket == nil {
		t.Fatal("no probe")
	}
	d.local.Answered(d.now, c.ticket, headers(1_000_000, 100, 20))
	// 20 are left, and the very first request has no answer yet.
	if v := d.local.View(d.now, "a"); v.Remaining != 19 {
		t.Errorf("%d remain, want 19", v.Remaining)
	}
}

func TestDemand(t *testing.T) {
	var d demand
	d.add(headroom)
	if got := d.rate(headroom); got > 0.5 {
		t.Errorf("one request alone is a rate of %v", got)
	}
	for i := range 200 {
		d.add(headroom + moment(i)*50*time.Millisecond)
	}
	now := headroom + 200*50*time.Millisecond
	if got := d.rate(now); got < 18 || got > 21 {
		t.Errorf("20 a second are %v", got)
	}
	if got := d.rate(now + time.Second); got > 13 {
		t.Errorf("a second after the last one the rate is %v", got)
	}
	if got := d.rate(now + 3*time.Second); got != 0 {
		t.Errorf("after three idle seconds the rate is %v", got)
	}
}

func TestRoundTrips(t *testing.T) {
	var r roundTrips
	if r.quantile(95) != 0 {
		t.Error("a quantile of nothing")
	}
	for i := range 100 { // the last 32 count
		r.add(time.Duration(i+1) * time.Millisecond)
	}
	for percent, want := range map[int]int64{50: 84, 95: 99, 100: 100} {
		if got := r.quantile(percent); got.Milliseconds() != want {
			t.Errorf("%d %%: %v, want %v ms", percent, got, want)
		}
	}
}
