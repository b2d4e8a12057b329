package limiter

import (
	"fmt"
	"testing"
	"time"
)

// TestAloneStaysBelowTheLimit is I16: replicas that see nothing of each other
// but the upstream's counter send the limit and one each at most, and waste
// little of it.
func TestAloneStaysBelowTheLimit(t *testing.T) {
	for _, tt := range []struct {
		replicas int
		limit    int64
		skew     bool
		delay    time.Duration
	}{
		{1, 100, false, 20 * time.Millisecond},
		{2, 100, false, 20 * time.Millisecond},
		{4, 100, false, 100 * time.Millisecond},
		{4, 1000, true, 20 * time.Millisecond},
		{8, 1000, false, 50 * time.Millisecond},
		{8, 20, true, 5 * time.Millisecond},
		{16, 5, false, 20 * time.Millisecond},
	} {
		t.Run(fmt.Sprintf("%d replicas, %d", tt.replicas, tt.limit), func(t *testing.T) {
			s := &solo{t: t, up: &counter{limit: tt.limit, span: 10 * time.Second}, delay: tt.delay}
			for range tt.replicas {
				s.add(tt.replicas)
			}
			const step, windows = 5 * time.Millisecond, 3
			for i := range int(windows * 10 * time.Second / step) {
				for k, d := range s.desks {
					if !tt.skew || k == 0 || i%(k*8) == 0 {
						s.send(d)
					}
				}
				s.step(step)
			}
			for i, n := range s.counts {
				if n > tt.limit+int64(tt.replicas) {
					t.Errorf("window %d: %d of %d sent", i, n, tt.limit)
				}
				if least := tt.limit - 4*int64(tt.replicas) - tt.limit/50; i > 0 && i < len(s.counts)-1 && n < least {
					t.Errorf("window %d: only %d of %d sent", i, n, tt.limit)
				}
			}
		})
	}
}

// solo is a fleet whose store is away from the beginning.
type solo struct {
	t      *testing.T
	up     *counter
	delay  time.Duration
	desks  []*desk
	flying []flying
	counts []int64 // of each window, with refused ones
	end    time.Time
}

type flying struct {
	d        *desk
	ticket   *Ticket
	arrives  time.Time
	answered Observation
	back     time.Time
}

func (s *solo) add(fleet int) {
	d := newDesk(s.t, settings())
	d.local.o.Fleet = func() int { return fleet }
	d.store, d.outage = &Shared{}, true
	s.desks = append(s.desks, d)
}

// send lets one request arrive that can wait.
func (s *solo) send(d *desk) {
	if d.local.queue.total() > 20 {
		return
	}
	r := &Request{Caller: "a", Class: Batch, Deadline: d.now.Add(time.Minute), Refused: func(*Refusal) {}}
	r.Granted = func(t *Ticket) { s.flying = append(s.flying, flying{d: d, ticket: t, arrives: d.now.Add(s.delay / 2)}) }
	d.local.Arrive(d.now, r)
	d.trips()
}

// step lets time go by: requests arrive at the upstream and answers come back.
func (s *solo) step(by time.Duration) {
	now := s.desks[0].now.Add(by)
	rest := s.flying[:0]
	var back []flying
	for _, f := range s.flying {
		if f.back.IsZero() && !f.arrives.After(now) {
			f.answered, f.back = s.count(now), now.Add(s.delay/2)
		}
		if !f.back.IsZero() && !f.back.After(now) {
			back = append(back, f)
		} else {
			rest = append(rest, f)
		}
	}
	s.flying = rest
	for _, d := range s.desks {
		d.now = now
		d.local.Tick(now)
		d.trips()
	}
	for _, f := range back {
		f.d.local.Answered(now, f.ticket, f.answered)
		f.d.trips()
	}
}

func (s *solo) count(now time.Time) Observation {
	o := s.up.serve(now)
	if !s.end.Equal(s.up.end) {
		s.end, s.counts = s.up.end, append(s.counts, 0)
	}
	s.counts[len(s.counts)-1]++
	return o
}

// away is a replica that has just lost its store, in a window of 100 of which 50
// are left, one of two replicas.
func away(t *testing.T, s Settings) *desk {
	d, _ := awayWith(t, s)
	return d
}

// awayWith returns its one request that is under way, too.
func awayWith(t *testing.T, s Settings) (*desk, *callOf) {
	d := newDesk(t, s)
	first := d.want("first", Batch, deskWait)
	ask := d.ask()
	a := d.known(ask, []int64{1}, 0)
	a.Replicas = 2
	d.answer(ask, a)
	d.now = d.now.Add(heartbeat)
	d.lose()
	return d, first
}

// TestAloneByConfiguration: what a request gets while the store is away.
func TestAloneByConfiguration(t *testing.T) {
	for _, tt := range []struct {
		way     OnStoreError
		after   time.Duration
		granted int // of 100, at least, and at most
		most    int
		reason  Reason
	}{
		{Allow, time.Second, 100, 100, ""},
		{Allow, openFor + time.Second, 0, 1, ReasonDeadline},
		{Deny, time.Second, 0, 0, ReasonStore},
		{UseLocalShare, time.Second, 0, 1, ReasonDeadline}, // one after the other until answers come
	} {
		s := settings()
		s.OnStoreError = tt.way
		d := away(t, s)
		d.store, d.outage = &Shared{}, true
		d.pass(tt.after)
		granted := 0
		var calls []*callOf
		for range 100 {
			calls = append(calls, d.want("a", Batch, 10*time.Millisecond))
		}
		d.pass(20 * time.Millisecond)
		for _, c := range calls {
			switch {
			case c.ticket != nil:
				granted++
			case c.refusal == nil:
				t.Fatal("it still waits")
			case tt.reason != "" && c.refusal.Reason != tt.reason && c.refusal.Reason != ReasonFull:
				t.Errorf("%d: refused: %s, want %s", tt.way, c.refusal.Reason, tt.reason)
			}
		}
		if granted < tt.granted || granted > tt.most {
			t.Errorf("way %d after %v: %d granted, want %d to %d", tt.way, tt.after, granted, tt.granted, tt.most)
		}
	}
}

// TestAloneSlots: without the store each replica has its part of the slots, one
// at least.
func TestAloneSlots(t *testing.T) {
	for _, tt := range []struct {
		fleet int
		want  int
	}{{1, 8}, {3, 2}, {20, 1}} {
		s := settings()
		s.Kind, s.Max = Concurrency, 8
		d := newDesk(t, s)
		d.local.o.Fleet = func() int { return tt.fleet }
		d.store, d.outage = &Shared{}, true
		var calls []*callOf
		for range 10 {
			calls = append(calls, d.want("a", Batch, time.Minute))
		}
		d.pass(time.Second) // the store counts as away by then
		if got := tickets(calls); got != tt.want {
			t.Errorf("%d of %d replicas: %d slots, want %d", 1, tt.fleet, got, tt.want)
		}
		d.local.Answered(d.now, calls[0].ticket, Observation{Status: 200})
		if got := tickets(calls); got != tt.want {
			t.Errorf("a slot was free before the body had ended")
		}
		d.local.Closed(d.now, calls[0].ticket)
		d.local.Closed(d.now, calls[0].ticket)
		if got := tickets(calls); got != tt.want+1 {
			t.Errorf("after one has ended %d were given, want %d", got, tt.want+1)
		}
	}
}

func tickets(calls []*callOf) int {
	n := 0
	for _, c := range calls {
		if c.ticket != nil {
			n++
		}
	}
	return n
}

// TestAloneIsPaced: where no window is known, the replica's part of the rate.
func TestAloneIsPaced(t *testing.T) {
	d := newDesk(t, settings())
	d.want("a", Batch, deskWait)
	ask := d.ask()
	a := d.known(ask, []int64{1}, 0)
	a.Mode, a.Name, a.Limit, a.Span, a.Replicas, a.Lo, a.Hi = ModeLimitOnly, 0, 600, 60_000, 2, 0, 0
	d.answer(ask, a)
	d.now = d.now.Add(heartbeat)
	d.lose()
	d.store, d.outage = &Shared{}, true
	var calls []*callOf
	for range 60 {
		calls = append(calls, d.want("a", Batch, time.Minute))
	}
	d.pass(5 * time.Second)
	if got := tickets(calls); got < 24 || got > 26 {
		t.Errorf("%d in 5 s, want half of 10 a second", got)
	}
}

// TestAloneThenBack: the store learns of everything that was spent without it,
// and what it grants counts on top.
func TestAloneThenBack(t *testing.T) {
	d := newDesk(t, settings())
	d.store = &Shared{}
	up := &counter{limit: 50, span: 10 * time.Second}
	var waiting []*callOf
	send := func() {
		waiting = append(waiting, d.want("a", Batch, 500*time.Millisecond))
		for _, c := range waiting {
			if c.ticket != nil && c.ticket.open {
				d.local.Answered(d.now, c.ticket, up.serve(d.now))
				d.trips()
			}
		}
	}
	run := func(by time.Duration) {
		for end := d.now.Add(by); d.now.Before(end); {
			send()
			d.pass(20 * time.Millisecond)
		}
	}
	run(3 * time.Second)
	d.outage = true
	before := up.total
	run(12 * time.Second) // over the window's end
	if up.total < before+25 {
		t.Error("nothing was sent without the store")
	}
	d.outage = false
	run(15 * time.Second)
	if up.refused > 1 { // one more than the limit, of one replica
		t.Errorf("%d refused", up.refused)
	}
	if d.local.alone.since != 0 || up.count == 0 {
		t.Error("it did not go on with the store")
	}
	if own := d.store.own(); own < up.count {
		t.Errorf("the fleet knows of %d of %d", own, up.count)
	}
}

// TestAloneClosed: a 429 shuts the window for this replica until it is over.
func TestAloneClosed(t *testing.T) {
	d := away(t, settings())
	d.store, d.outage = &Shared{}, true
	c := d.want("a", Batch, time.Minute)
	if c.ticket == nil {
		t.Fatal("no probe")
	}
	o := refusedBy(1_000_000, 100, 0)
	o.ResetSeconds, o.HasResetSeconds = 10, true
	d.local.Answered(d.now, c.ticket, o)
	next := d.want("a", Batch, time.Minute)
	d.pass(10 * time.Second)
	if next.ticket != nil {
		t.Error("it goes on in a window that is spent")
	}
	d.pass(2 * time.Second)
	if next.ticket == nil {
		t.Error("it does not go on in the next one")
	}
}

// TestAloneWithoutAWord: while no answer has told what is left, a replica spends
// its part of half of the limit, one token in 50 ms.
func TestAloneWithoutAWord(t *testing.T) {
	for _, tt := range []struct {
		replicas int64
		want     int
	}{{1, 50}, {2, 25}, {7, 7}, {60, 0}} {
		d := newDesk(t, settings())
		d.want("first", Batch, deskWait)
		ask := d.ask()
		a := d.known(ask, []int64{1}, 0) // of 100; it stays under way
		a.Replicas = tt.replicas
		d.answer(ask, a)
		d.now = d.now.Add(heartbeat)
		d.lose()
		d.store, d.outage = &Shared{}, true
		var calls []*callOf
		for range 60 {
			calls = append(calls, d.want("a", Batch, time.Minute))
		}
		d.pass(10 * trickleEvery)
		if got := tickets(calls); got > 11 {
			t.Errorf("%d replicas: %d at once", tt.replicas, got)
		}
		d.pass(60 * trickleEvery)
		if got := tickets(calls); got != tt.want {
			t.Errorf("%d replicas: %d tokens, want %d", tt.replicas, got, tt.want)
		}
	}
}

// TestAloneNearTheEnd: of the last tokens, two for every replica, nobody knows
// whose they are. They are tried one after the other, 50 ms apart.
func TestAloneNearTheEnd(t *testing.T) {
	for _, tt := range []struct {
		rest         int64 // for two replicas
		once, spaced int
	}{{8, 2, 2}, {4, 1, 1}, {3, 0, 1}, {1, 0, 1}, {0, 0, 0}} {
		d, first := awayWith(t, settings())
		d.store, d.outage = &Shared{}, true
		c := d.want("a", Batch, deskWait)
		d.local.Answered(d.now, first.ticket, headers(1_000_000, 100, tt.rest+1))
		d.local.Answered(d.now, c.ticket, headers(1_000_000, 100, tt.rest))
		calls := []*callOf{d.want("a", Batch, time.Minute), d.want("a", Batch, time.Minute), d.want("a", Batch, time.Minute)}
		if got := tickets(calls); got != tt.once {
			t.Errorf("%d left: %d at once, want %d", tt.rest, got, tt.once)
		}
		d.pass(trickleEvery - 1)
		if got := tickets(calls); got != tt.once {
			t.Errorf("%d left: %d before 50 ms, want %d", tt.rest, got, tt.once)
		}
		d.pass(3 * trickleEvery) // no other while one is under way
		if got := tickets(calls); got != tt.spaced {
			t.Errorf("%d left: %d later, want %d", tt.rest, got, tt.spaced)
		}
	}
}

// TestAloneCountsWhatMayBeCounted: what is under way, and what ended so that
// nobody can say when the upstream counted it, of this window and of older ones.
func TestAloneCountsWhatMayBeCounted(t *testing.T) {
	d := newDesk(t, settings())
	tokens := func(epoch, name int64, n int) (calls []*callOf) {
		for range n {
			calls = append(calls, d.want("a", Batch, deskWait))
		}
		ask := d.ask()
		a := d.known(ask, []int64{int64(n)}, 0)
		a.Epoch, a.Name = epoch, name
		d.answer(ask, a)
		return calls
	}
	before := tokens(7, 1_000_000, 2)
	d.now = d.now.Add(askAgain)
	now := tokens(8, 1_060_000, 3)
	d.now = d.now.Add(heartbeat)
	d.lose()
	for _, step := range []struct {
		name string
		do   func()
		rest int64
	}{
		{"an answer leaves 40, four are under way", func() { d.local.Answered(d.now, now[0].ticket, headers(1_060_000, 100, 40)) }, 36},
		{"one is lost", func() { d.local.Lost(d.now, now[1].ticket) }, 36},
		{"one of the window before is lost", func() { d.local.Lost(d.now, before[0].ticket) }, 36},
		{"the other was counted there", func() { d.local.Answered(d.now, before[1].ticket, headers(1_000_000, 100, 60)) }, 37},
	} {
		step.do()
		if got := d.local.View(d.now, "a").Remaining; got != step.rest {
			t.Errorf("%s: %d are left, want %d", step.name, got, step.rest)
		}
	}
}
