package limiter

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestLocalRefusesEarly: nobody waits in order to fail.
func TestLocalRefusesEarly(t *testing.T) {
	for _, tt := range []struct {
		name  string
		left  int64
		fair  int64
		ahead int // requests of the same caller that wait already
		wait  time.Duration
		why   Reason // "" = it may wait
		after time.Duration
	}{
		{"something is left", 1, 10, 0, time.Second, "", 0},
		{"nothing is left", 0, 10, 0, time.Second, ReasonETA, 30 * time.Second},
		{"it can wait for the next window", 0, 10, 0, time.Minute, "", 0},
		{"the next window is for others", 0, 2, 2, time.Minute, ReasonETA, 90 * time.Second},
		{"it can wait for the one after", 0, 2, 2, 2 * time.Minute, "", 0},
		{"it must not wait", 0, 10, 0, 0, ReasonNoWait, 30 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, settings())
			d.want("a", Background, time.Hour)
			for range tt.ahead {
				d.want("a", Background, time.Hour)
			}
			ask := d.ask()
			a := d.known(ask, []int64{1}, 0)
			a.Left[0], a.Fair[0], a.Available = tt.left, tt.fair, tt.left
			a.Again = a.Hi + rollGuard + 1
			d.answer(ask, a)
			c := d.want("a", Background, tt.wait)
			if tt.why == "" {
				if c.ticket != nil || c.refusal != nil {
					t.Fatalf("it does not wait: %+v", c.refusal)
				}
				return
			}
			if c.refusal == nil || c.refusal.Reason != tt.why {
				t.Fatalf("%+v", c.refusal)
			}
			if got := c.refusal.RetryAfter; got < tt.after || got > tt.after+100*time.Millisecond {
				t.Errorf("Retry-After %v, want %v", got, tt.after)
			}
		})
	}
}

// TestLocalRefusesWhenToldSo: those who waited for the first word of the store
// do not wait on if it gives them no hope.
func TestLocalRefusesWhenToldSo(t *testing.T) {
	d := newDesk(t, settings())
	hurried, short, long := d.want("a", Batch, 0), d.want("a", Batch, time.Second), d.want("b", Batch, time.Minute)
	ask := d.ask()
	a := d.known(ask, []int64{0, 0}, 0)
	a.Left = []int64{0, 0}
	d.answer(ask, a)
	if hurried.refusal == nil || hurried.refusal.Reason != ReasonNoWait {
		t.Errorf("hurried: %+v", hurried.refusal)
	}
	if short.refusal == nil || short.refusal.Reason != ReasonETA || short.refusal.RetryAfter < 30*time.Second {
		t.Errorf("short: %+v", short.refusal)
	}
	if long.refusal != nil {
		t.Errorf("long: %+v", long.refusal)
	}
}

// TestLocalHurries: who must not wait gets what one trip brings, and leaves after
// 50 ms if the trip takes longer.
func TestLocalHurries(t *testing.T) {
	d := newDesk(t, settings())
	c := d.want("a", Batch, 0)
	ask := d.ask()
	d.answer(ask, d.known(ask, []int64{1}, 0))
	if c.ticket == nil {
		t.Error("the trip brought a token")
	}
	late := d.want("b", Batch, 0)
	d.ask()
	d.pass(tripBound - 1)
	if late.refusal != nil {
		t.Error("refused too early")
	}
	d.pass(1)
	if late.refusal == nil || late.refusal.Reason != ReasonNoWait || late.refusal.Waited != tripBound {
		t.Errorf("%+v", late.refusal)
	}
}

// TestLocalQueueIsFull at its bounds, for one caller and for all.
func TestLocalQueueIsFull(t *testing.T) {
	d := newDesk(t, settings())
	for range maxQueued / 2 {
		if c := d.want("a", Batch, time.Minute); c.refusal != nil {
			t.Fatal("refused")
		}
	}
	if c := d.want("a", Interactive, time.Minute); c.refusal == nil || c.refusal.Reason != ReasonFull || c.refusal.RetryAfter <= 0 {
		t.Errorf("%+v", c.refusal)
	}
	if c := d.want("b", Batch, time.Minute); c.refusal != nil {
		t.Error("another caller is refused")
	}
}

// TestLocalJitters: requests that are refused together do not come back
// together, and none before its time.
func TestLocalJitters(t *testing.T) {
	d := newDesk(t, settings())
	r := 0.0
	d.local.o.Random = func() float64 { return r }
	for _, tt := range []struct {
		eta    time.Duration
		random float64
		want   time.Duration
	}{
		{10 * time.Second, 0, 10 * time.Second},
		{10 * time.Second, 0.5, 10500 * time.Millisecond},
		{time.Minute, 0.5, 61 * time.Second}, // 2 s at most
		{0, 0, unknownRetry},
	} {
		r = tt.random
		if got := d.local.retryAfter(tt.eta); got != tt.want {
			t.Errorf("%v becomes %v, want %v", tt.eta, got, tt.want)
		}
	}
}

// TestLocalReopens: what is not urgent asks a little later than the others when
// a window opens.
func TestLocalReopens(t *testing.T) {
	for class, want := range map[Class]time.Duration{Interactive: 0, Batch: 125 * time.Millisecond} {
		d := newDesk(t, settings())
		d.local.o.Random = func() float64 { return 0.5 }
		d.want("a", class, time.Hour)
		ask := d.ask()
		a := d.known(ask, []int64{0}, 0)
		a.Left[0], a.Again, a.Hi, a.Lo = 0, d.milli()+1500, d.milli()+1495, d.milli()+1490
		d.answer(ask, a)
		wake := d.local.Wake().Sub(d.now) - 1500*time.Millisecond
		if wake < want-2*time.Millisecond || wake > want+2*time.Millisecond {
			t.Errorf("%s asks %v after the opening, want %v", class, wake, want)
		}
	}
}

// TestLocalQueueKeepsItsPromises is I12 and I7, over random lives against a real
// store: every request leaves by its deadline with exactly one outcome, one that
// has left uses no token, bounds hold, and what is told never goes back.
func TestLocalQueueKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := settings()
		s.Shares = []Share{{Caller: "b", Cap: Amount{Tokens: 3}, Weight: 2}}
		s.OnStoreError = OnStoreError(rapid.IntRange(0, 2).Draw(rt, "without the store"))
		d := newDesk(t, s)
		d.store = &Shared{}
		up := &counter{limit: rapid.Int64Range(1, 30).Draw(rt, "limit"), span: 10 * time.Second}
		l := &life{d: d, up: up}
		rt.Repeat(map[string]func(*rapid.T){
			"arrive": l.arrive, "answer": l.answer, "leave": l.leave, "pass": l.pass,
			"outage": func(*rapid.T) { d.outage = !d.outage },
			"":       l.check,
		})
	})
}

// counter is an upstream with fixed windows.
type counter struct {
	limit, count int64
	span         time.Duration
	end          time.Time
	total        int64 // requests, refused ones included
	refused      int64
}

// serve counts a request and answers it at once.
func (c *counter) serve(now time.Time) Observation {
	c.total++
	if !now.Before(c.end) {
		c.end, c.count = now.Truncate(c.span).Add(c.span), 0
	}
	o := headers(c.end.UnixMilli(), c.limit, 0)
	o.ResetSeconds, o.HasResetSeconds = int64((c.end.Sub(now)+time.Second-1)/time.Second), true
	if c.count >= c.limit {
		c.refused++
		o.Status = 429
		return o
	}
	c.count++
	o.Remaining = c.limit - c.count
	return o
}

// life is one run of a random test.
type life struct {
	d     *desk
	up    *counter
	calls []*callOf
	last  Ask
}

func (l *life) arrive(t *rapid.T) {
	for range rapid.IntRange(1, 5).Draw(t, "requests") {
		wait := time.Duration(rapid.IntRange(0, 20000).Draw(t, "wait")) * time.Millisecond
		caller := string(rune('a' + rapid.IntRange(0, 2).Draw(t, "caller")))
		l.calls = append(l.calls, l.d.want(caller, Class(rapid.IntRange(0, 2).Draw(t, "class")), wait))
	}
}

func (l *life) answer(t *rapid.T) {
	for i, c := range l.calls {
		if c.ticket == nil {
			continue
		}
		switch rapid.IntRange(0, 5).Draw(t, "outcome") {
		case 0:
			l.d.local.Lost(l.d.now, c.ticket)
		case 1:
			l.d.local.Unsent(l.d.now, c.ticket)
		default:
			l.d.local.Answered(l.d.now, c.ticket, l.up.serve(l.d.now))
		}
		l.d.trips()
		l.calls = append(l.calls[:i], l.calls[i+1:]...)
		return
	}
}

func (l *life) leave(t *rapid.T) {
	for i, c := range l.calls {
		if c.ticket == nil && c.refusal == nil {
			if !l.d.local.Leave(l.d.now, &c.Request) {
				t.Fatal("it waits and is not in the queue")
			}
			c.Granted = func(*Ticket) { t.Fatal("who has left got a token") }
			c.Refused = func(*Refusal) { t.Fatal("who has left is refused") }
			l.calls = append(l.calls[:i], l.calls[i+1:]...)
			return
		}
	}
}

func (l *life) pass(t *rapid.T) {
	l.d.pass(time.Duration(rapid.IntRange(1, 3000).Draw(t, "time")) * time.Millisecond)
}

func (l *life) check(t *rapid.T) {
	q := &l.d.local.queue
	for _, c := range l.calls {
		latest := c.Deadline
		if c.ticket == nil && c.refusal == nil && l.d.now.After(latest.Add(tripBound)) {
			t.Fatalf("it waits until %v at %v", c.Deadline, l.d.now)
		}
		if c.refusal != nil && c.refusal.RetryAfter <= 0 {
			t.Fatalf("refused without Retry-After: %+v", c.refusal)
		}
	}
	if q.total() > maxQueued {
		t.Fatalf("%d wait", q.total())
	}
	b, p := &l.d.local.ledger, &l.d.local.pool
	if b.sent < 0 || b.done > b.sent || b.carry() < 0 || p.tokens < 0 || b.open < 0 || b.older.open < 0 {
		t.Fatalf("%+v with %d tokens", b, p.tokens)
	}
	if f := l.d.local.ask.flight; f != nil {
		if f.ask.Seq < l.last.Seq || f.ask.Refused < l.last.Refused || f.ask.Unnamed < l.last.Unnamed {
			t.Fatalf("%+v after %+v", f.ask, l.last)
		}
		l.last = f.ask
	}
}

// TestLocalBlocked: nobody waits in vain for a block to end, whatever has become
// of the window meanwhile, and everybody is told when it ends; also while the
// store is away.
func TestLocalBlocked(t *testing.T) {
	const lasting = 10 * time.Minute
	for name, then := range map[string]func(*desk){
		"in the window":   func(*desk) {},
		"after it":        func(d *desk) { d.now = d.now.Add(31 * time.Second) },
		"without a store": func(d *desk) { d.now = d.now.Add(31 * time.Second); d.lose() },
		"never heard of":  nil,
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, settings())
			end := d.now.Add(lasting)
			first := d.want("a", Interactive, 0)
			ask := d.ask()
			a := d.known(ask, []int64{0}, 0)
			if then == nil {
				a = Answer{Now: d.milli(), Epoch: 1, Mode: ModeCold, SharesID: ask.SharesID, Replicas: 1, Grants: []int64{0}, Left: []int64{0}, Fair: []int64{0}}
			}
			a.Blocked = end.UnixMilli()
			d.answer(ask, a)
			if first.refusal == nil || first.refusal.RetryAfter < lasting {
				t.Fatalf("the first one: %+v", first.refusal)
			}
			if then != nil {
				then(d)
			}
			for _, c := range []*callOf{d.want("a", Interactive, deskWait), d.want("b", Background, 0)} {
				if c.refusal == nil || c.refusal.RetryAfter < end.Sub(d.now) {
					t.Fatalf("%+v", c.refusal)
				}
				if v := c.refusal.View; !v.Blocked || v.Opens < end.Sub(d.now) || !v.Reset.IsZero() || v.Remaining != 0 {
					t.Errorf("it is shown %+v", v)
				}
			}
			if c := d.want("a", Background, time.Hour); c.refusal != nil || c.ticket != nil {
				t.Errorf("one that can wait: %+v", c)
			}
			if v := d.local.View(end.Add(time.Second), "a"); v.Blocked {
				t.Errorf("afterwards: %+v", v)
			}
		})
	}
}

// TestLocalBlockEndsAlone: while the store is away a block ends all the same.
func TestLocalBlockEndsAlone(t *testing.T) {
	d := newDesk(t, settings())
	d.want("a", Interactive, 0)
	ask := d.ask()
	a := d.known(ask, []int64{0}, 0)
	a.Blocked = a.Now + 90_000
	d.answer(ask, a)
	d.now = d.now.Add(31 * time.Second)
	d.lose()
	d.store, d.outage = &Shared{}, true
	left := d.now.Sub(time.UnixMilli(a.Now))
	c := d.want("a", Background, time.Hour)
	if d.pass(88*time.Second - left); c.ticket != nil {
		t.Fatal("it goes out although the bucket is blocked")
	}
	if d.pass(4 * time.Second); c.ticket == nil {
		t.Error("it still waits after the block")
	}
}

// A bucket that is paced serves at once while there are tokens: only what is
// beyond them waits for the next slice.
func TestLocalPacedServesWhatIsLeft(t *testing.T) {
	minute := settings()
	minute.AssumeWindow = time.Minute // slices of 6 s, longer than anybody waits here
	d := newDesk(t, minute)
	d.store = new(Shared)
	for range 5 { // answers that tell a limit and no window
		c := d.want("a", Interactive, 2*time.Second)
		d.pass(100 * time.Millisecond)
		if c.ticket != nil {
			d.local.Answered(d.now, c.ticket, Observation{Status: 200, Kind: LimitOnly, Limit: 1000})
		}
	}
	if mode := d.local.mode(); mode != ModeLimitOnly {
		t.Fatalf("mode %s", mode)
	}
	for i := range 20 {
		d.pass(1700 * time.Millisecond) // so seldom that nothing is held ahead
		if c := d.want("b", Class(i%Classes), 2*time.Second); c.ticket == nil {
			t.Fatalf("request %d of 900: %+v", i, c.refusal)
		}
	}
}
