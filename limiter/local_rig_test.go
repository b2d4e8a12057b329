package limiter

import (
	"testing"
	"time"
)

// desk is a Local with a clock, and a store that the test plays or that is a
// real [Shared].
type desk struct {
	t      *testing.T
	now    time.Time
	local  *Local
	store  *Shared // nil = the test answers
	asks   int
	outage bool
}

// patience of every request of a desk.
const deskWait = 2 * time.Second

func settings() Settings {
	return Settings{Enforce: true, MaxWait: [Classes]time.Duration{deskWait, time.Minute, time.Hour}}
}

func newDesk(t *testing.T, s Settings) *desk {
	return &desk{
		t: t, now: time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC),
		local: NewLocal(LocalOptions{Replica: "r", Settings: s}),
	}
}

func (d *desk) milli() int64 { return d.now.UnixMilli() }

// call is a request and what became of it.
type callOf struct {
	Request
	ticket  *Ticket
	refusal *Refusal
}

// want sends a request that waits for at most wait.
func (d *desk) want(caller string, class Class, wait time.Duration) *callOf {
	c := &callOf{Request: Request{Caller: caller, Class: class, Deadline: d.now.Add(wait)}}
	c.Granted = func(t *Ticket) {
		if c.ticket != nil || c.refusal != nil {
			d.t.Fatal("two outcomes")
		}
		c.ticket = t
	}
	c.Refused = func(r *Refusal) {
		if c.ticket != nil || c.refusal != nil {
			d.t.Fatal("two outcomes")
		}
		c.refusal = r
	}
	d.local.Arrive(d.now, &c.Request)
	d.trips()
	return c
}

// trips makes those that are due, if the store is there.
func (d *desk) trips() {
	for d.store != nil {
		ask, due := d.local.Ask(d.now)
		if !due {
			return
		}
		d.asks++
		if d.outage {
			d.local.Failed(d.now, ask, false)
			return
		}
		d.local.Answer(d.now, d.now, ask, d.store.Acquire(ask, d.milli()))
	}
}

// pass lets time go by, and wakes the Local whenever it wants.
func (d *desk) pass(by time.Duration) {
	end := d.now.Add(by)
	for n := 0; ; n++ {
		wake := d.local.Wake()
		if wake.IsZero() || wake.After(end) {
			break
		}
		if n > 10_000 {
			d.t.Fatalf("it wakes again and again at %v", d.now)
		}
		if wake.After(d.now) {
			d.now = wake
		}
		d.local.Tick(d.now)
		d.trips()
		if d.store == nil && !d.local.Wake().After(d.now) {
			break // an Ask is due, and the test makes the trips
		}
	}
	d.now = end
	d.local.Tick(d.now)
	d.trips()
}

// lose has the store fail so often that it counts as away.
func (d *desk) lose() {
	d.t.Helper()
	for pause := firstRetry; ; pause *= 2 {
		d.local.Failed(d.now, d.ask(), false)
		if d.local.alone.since != 0 {
			return
		}
		d.now = d.now.Add(pause)
	}
}

// ask returns the Ask that must be due.
func (d *desk) ask() Ask {
	d.t.Helper()
	ask, due := d.local.Ask(d.now)
	if !due {
		d.t.Fatal("nothing is asked")
	}
	return ask
}

// quiet checks that no Ask is due.
func (d *desk) quiet() {
	d.t.Helper()
	if ask, due := d.local.Ask(d.now); due {
		d.t.Fatalf("it asks %+v", ask)
	}
}

// known is an answer of the fleet in a window of 100 tokens that ends in 30 s.
func (d *desk) known(ask Ask, grants []int64, pool int64) Answer {
	a := Answer{
		Now: d.milli(), Epoch: 7, Mode: ModeKnown, Name: 1_000_000, Lo: d.milli() + 29_000, Hi: d.milli() + 30_000,
		Limit: 100, Span: 60_000, Tolerance: 1200, Grants: grants, Pool: pool, Expires: d.milli() + 3000,
		Available: 50, Replicas: 1, SharesID: ask.SharesID,
		Left: make([]int64, len(ask.Uses)), Fair: make([]int64, len(ask.Uses)),
	}
	for i := range a.Left {
		a.Left[i], a.Fair[i] = 50, 100
	}
	return a
}

// answer gives it back at once.
func (d *desk) answer(ask Ask, a Answer) { d.local.Answer(d.now, d.now, ask, a) }

// headers is an answer of the upstream in the window of that name.
func headers(name, limit, remaining int64) Observation {
	return Observation{Status: 200, Kind: Windowed, Limit: limit, Remaining: remaining, Reset: time.UnixMilli(name).UTC()}
}

// refusedBy is the same as a 429.
func refusedBy(name, limit, remaining int64) Observation {
	o := headers(name, limit, remaining)
	o.Status = 429
	return o
}
