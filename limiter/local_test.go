package limiter

import (
	"testing"
	"time"
)

// TestLocalGroupsAsks: requests that come while a trip is made wait for the
// next one, all of them.
func TestLocalGroupsAsks(t *testing.T) {
	d := newDesk(t, settings())
	a := d.want("a", Batch, deskWait)
	first := d.ask()
	if len(first.Uses) != 1 || first.Uses[0] != (Use{Caller: "a", Class: Batch, Waiting: 1, Arrived: 1}) || first.Seq != 1 || first.Epoch != 0 {
		t.Fatalf("%+v", first)
	}
	b, c := d.want("b", Batch, deskWait), d.want("b", Interactive, deskWait)
	d.quiet()
	d.answer(first, d.known(first, []int64{1}, 0))
	if a.ticket == nil || b.ticket != nil || c.ticket != nil {
		t.Fatal("the grant went to another")
	}
	second := d.ask()
	if len(second.Uses) != 3 || second.Sent != 1 || second.Epoch != 7 || second.Name != 1_000_000 || second.Seq != 2 {
		t.Fatalf("%+v", second)
	}
	d.answer(second, d.known(second, []int64{0, 1, 1}, 0))
	if b.ticket == nil || c.ticket == nil {
		t.Error("their grants did not come")
	}
}

// TestLocalGrantsWithoutTakers: tokens whose requests have left join the pool,
// and go back if nobody needs them.
func TestLocalGrantsWithoutTakers(t *testing.T) {
	d := newDesk(t, settings())
	gone := d.want("a", Batch, deskWait)
	ask := d.ask()
	if !d.local.Leave(d.now, &gone.Request) || d.local.Leave(d.now, &gone.Request) {
		t.Error("it cannot leave once")
	}
	d.answer(ask, d.known(ask, []int64{1}, 1))
	if got := d.want("b", Batch, 0); got.ticket == nil {
		t.Error("the pool is not used")
	}
	d.pass(heartbeat)
	if ask = d.ask(); ask.Sent != 1 || ask.Keep != 0 {
		t.Errorf("after a second %d sent and %d kept, want 1 and 0", ask.Sent, ask.Keep)
	}
	if gone.ticket != nil || gone.refusal != nil {
		t.Error("who has left is called")
	}
}

// TestLocalLeaseExpires: a token is not spent after its lease, however long the
// process stood still.
func TestLocalLeaseExpires(t *testing.T) {
	for _, tt := range []struct {
		after time.Duration
		spent bool
	}{{2900 * time.Millisecond, true}, {3 * time.Second, false}, {time.Hour, false}} {
		d := newDesk(t, settings())
		d.want("a", Batch, deskWait)
		ask := d.ask()
		d.answer(ask, d.known(ask, []int64{1}, 5))
		d.now = d.now.Add(tt.after)
		if got := d.want("a", Batch, deskWait); (got.ticket != nil) != tt.spent {
			t.Errorf("after %v: spent %t, want %t", tt.after, got.ticket != nil, tt.spent)
		}
	}
}

// TestLocalIgnoresForeignAnswers: late ones, and twice the same.
func TestLocalIgnoresForeignAnswers(t *testing.T) {
	d := newDesk(t, settings())
	d.want("a", Batch, deskWait)
	d.want("a", Batch, deskWait)
	ask := d.ask()
	late := ask
	late.Seq--
	d.answer(late, d.known(ask, []int64{2}, 0))
	d.answer(ask, d.known(ask, []int64{1}, 0))
	d.answer(ask, d.known(ask, []int64{1}, 0))
	d.local.Failed(d.now, ask, false)
	if next := d.askAfter(askAgain); next.Sent != 1 {
		t.Errorf("%d are sent, want 1", next.Sent)
	}
}

// TestLocalRepeats: what failed is told again with the same number and the same
// counts, after a pause that grows, and anew when it is old.
func TestLocalRepeats(t *testing.T) {
	watched := settings()
	watched.Enforce = false // nothing is spent meanwhile
	d := newDesk(t, watched)
	d.want("a", Background, time.Hour)
	d.now = d.now.Add(heartbeat)
	first := d.ask()
	for i, pause := range []int64{5, 50, 100, 200, 400} {
		d.local.Failed(d.now, first, false)
		d.now = d.now.Add(time.Duration(pause)*time.Millisecond - 1)
		d.quiet()
		d.now = d.now.Add(1)
		again := d.ask()
		if again.Seq != first.Seq || again.Sent != first.Sent || len(again.Uses) != len(first.Uses) {
			t.Errorf("repetition %d is another: %+v", i, again)
		}
	}
	d.local.Failed(d.now, first, false)
	d.now = d.now.Add(lastRetry)
	if fresh := d.ask(); fresh.Seq != first.Seq+1 {
		t.Errorf("after more than a second number %d is told again", fresh.Seq)
	}
}

// TestLocalTellsWhatWasSpentAlone: an Ask that failed is not told again once
// more was spent than it tells of, and says that others may spend so too.
func TestLocalTellsWhatWasSpentAlone(t *testing.T) {
	d := newDesk(t, settings())
	d.want("a", Background, time.Hour)
	first := d.ask()
	if first.Alone != 0 || first.Sent != 0 {
		t.Errorf("%+v", first)
	}
	for range failuresAway {
		d.local.Failed(d.now, first, false)
		d.now = d.now.Add(lastRetry)
		first, _ = d.local.Ask(d.now)
	}
	if first.Seq != 2 || first.Sent != 1 || first.Alone != 1 {
		t.Errorf("number %d tells of %d spent, alone of %d", first.Seq, first.Sent, first.Alone)
	}
	d.answer(first, d.known(first, nil, 0))
	for _, tt := range []struct {
		after time.Duration
		alone int64
	}{{heartbeat, 1}, {2 * heartbeat, 0}} {
		d.want("b", Background, time.Hour)
		if ask := d.askAfter(tt.after); ask.Alone != tt.alone {
			t.Errorf("%s after its return it tells %d, want %d", tt.after, ask.Alone, tt.alone)
		} else {
			d.answer(ask, d.known(ask, nil, 0))
		}
	}
}

// TestLocalUnsent: the token of a request that never left can be spent again, in
// its epoch; in another it is void.
func TestLocalUnsent(t *testing.T) {
	d := newDesk(t, settings())
	a := d.want("a", Batch, deskWait)
	ask := d.ask()
	d.answer(ask, d.known(ask, []int64{1}, 0))
	d.local.Unsent(d.now, a.ticket)
	d.local.Unsent(d.now, a.ticket)
	b := d.want("b", Batch, deskWait)
	if b.ticket == nil || d.local.ledger.sent != 1 || d.local.pool.tokens != 0 {
		t.Fatal("its token is lost, or came back twice")
	}
	ask = d.askAfter(heartbeat)
	next := d.known(ask, nil, 0)
	next.Epoch, next.Name = 8, 1_060_000
	d.answer(ask, next)
	d.local.Unsent(d.now, b.ticket)
	if d.local.pool.tokens != 0 || d.local.ledger.carry() != 0 {
		t.Error("a token of the old window is spendable in the new one")
	}
}

func (d *desk) askAfter(by time.Duration) Ask {
	d.now = d.now.Add(by)
	return d.ask()
}

// TestLocalRollsWithTheFleet: tokens of the old window are void, and what is
// under way is carried.
func TestLocalRollsWithTheFleet(t *testing.T) {
	d := newDesk(t, settings())
	a, b := d.want("a", Batch, deskWait), d.want("a", Batch, deskWait)
	ask := d.ask()
	d.answer(ask, d.known(ask, []int64{2}, 3))
	d.local.Answered(d.now, a.ticket, headers(1_000_000, 100, 99))
	ask = d.askAfter(heartbeat)
	if ask.Sent != 2 || ask.Done != 1 || ask.Carry != 0 {
		t.Fatalf("%+v", ask)
	}
	next := d.known(ask, nil, 0)
	next.Epoch, next.Name = 8, 1_060_000
	d.answer(ask, next)
	ask = d.askAfter(heartbeat)
	if ask.Epoch != 8 || ask.Sent != 0 || ask.Keep != 0 || ask.Carry != 1 {
		t.Fatalf("%+v", ask)
	}
	d.answer(ask, next)
	d.local.Answered(d.now, b.ticket, headers(1_000_000, 100, 98))
	if ask = d.askAfter(heartbeat); ask.Carry != 0 || len(ask.Seen) != 1 {
		t.Errorf("an answer of the old window changed more than the carry: %+v", ask)
	}
}

// TestLocalFindsItsPlaceAgain: a store that has lost its state has another
// number for the same window, which its name tells.
func TestLocalFindsItsPlaceAgain(t *testing.T) {
	d := newDesk(t, settings())
	a := d.want("a", Batch, deskWait)
	ask := d.ask()
	d.answer(ask, d.known(ask, []int64{1}, 0))
	d.local.Answered(d.now, a.ticket, headers(1_000_000, 100, 99))
	ask = d.askAfter(heartbeat)
	other := d.known(ask, nil, 0)
	other.Epoch = 99
	d.answer(ask, other)
	if b := &d.local.ledger; b.epoch != 99 || b.sent != 1 || b.done != 1 || b.carry() != 0 {
		t.Errorf("%+v", b)
	}
}

// TestLocalSurprises: what the fleet must know at once does not wait for the
// heartbeat.
func TestLocalSurprises(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    Observation
		told bool
	}{
		{"as expected", headers(1_000_000, 100, 99), false},
		{"others have used much", headers(1_000_000, 100, 40), true},
		{"a newer window", headers(1_060_000, 100, 99), true},
		{"an older window", headers(940_000, 100, 1), false},
		{"spent", refusedBy(1_000_000, 100, 0), true},
		{"spent before", refusedBy(940_000, 100, 0), false},
		{"a hidden limit", refusedBy(1_000_000, 100, 50), true},
		{"a 429 of no window", Observation{Status: 429}, true},
		{"no window", Observation{Status: 200}, false},
		{"to come again later", Observation{Status: 503, RetryAfter: RetryAfter{Given: true, Delay: time.Second}}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, settings())
			a := d.want("a", Batch, deskWait)
			ask := d.ask()
			d.answer(ask, d.known(ask, []int64{1}, 0))
			d.now = d.now.Add(surpriseEvery)
			d.local.Answered(d.now, a.ticket, tt.o)
			if _, due := d.local.Ask(d.now); due != tt.told {
				t.Errorf("told at once: %t, want %t", due, tt.told)
			}
		})
	}
}

// TestLocalStopsAtOnce: after a 429 of its window a replica spends nothing that
// it holds, and after a Retry-After only when the time has come.
func TestLocalStopsAtOnce(t *testing.T) {
	pause := headers(1_000_000, 100, 90)
	pause.Status = 503
	pause.RetryAfter = RetryAfter{Given: true, Delay: time.Second}
	for _, tt := range []struct {
		name string
		o    Observation
		held bool
		hold int64 // HoldUntil, from now
	}{
		{"an answer", headers(1_000_000, 100, 90), false, 0},
		{"spent", refusedBy(1_000_000, 100, 0), true, 0},
		{"spent before", refusedBy(940_000, 100, 0), false, 0},
		{"Retry-After", pause, true, 1000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, settings())
			a := d.want("a", Batch, deskWait)
			ask := d.ask()
			d.answer(ask, d.known(ask, []int64{1}, 10))
			d.local.Answered(d.now, a.ticket, tt.o)
			b := d.want("a", Batch, time.Minute)
			if (b.ticket == nil) != tt.held {
				t.Fatalf("held %t, want %t", b.ticket == nil, tt.held)
			}
			if !tt.held {
				return
			}
			ask = d.ask()
			if tt.hold == 0 && ask.Keep != 0 || ask.HoldUntil != 0 && (ask.HoldUntil-d.milli() < tt.hold || ask.HoldUntil-d.milli() > tt.hold+5) {
				t.Errorf("%+v", ask)
			}
		})
	}
}

// TestLocalUsesTheNextWindow: what a 429 has shut opens with the next epoch.
func TestLocalUsesTheNextWindow(t *testing.T) {
	d := newDesk(t, settings())
	a := d.want("a", Batch, deskWait)
	ask := d.ask()
	d.answer(ask, d.known(ask, []int64{1}, 0))
	d.local.Answered(d.now, a.ticket, refusedBy(1_000_000, 100, 0))
	b := d.want("a", Batch, time.Minute)
	ask = d.ask()
	next := d.known(ask, []int64{1}, 0)
	next.Epoch, next.Name = 8, 1_060_000
	d.answer(ask, next)
	if b.ticket == nil {
		t.Error("it still waits")
	}
}

// TestLocalLeaves: the last Ask gives everything back, and nothing is granted
// any more.
func TestLocalLeaves(t *testing.T) {
	d := newDesk(t, settings())
	a := d.want("a", Batch, deskWait)
	ask := d.ask()
	d.answer(ask, d.known(ask, []int64{1}, 9))
	d.local.Answered(d.now, a.ticket, headers(1_000_000, 100, 99))
	d.local.Leaving(d.now)
	if d.local.Idle() {
		t.Error("idle before it has said so")
	}
	if b := d.want("a", Batch, deskWait); b.refusal == nil || b.refusal.Reason != ReasonStore {
		t.Errorf("%+v", b.refusal)
	}
	ask = d.ask()
	if !ask.Leaving || ask.Keep != 0 || ask.Ahead != 0 {
		t.Errorf("%+v", ask)
	}
	d.answer(ask, d.known(ask, nil, 0))
	d.now = d.now.Add(time.Hour)
	d.quiet()
	if !d.local.Idle() || !d.local.Wake().IsZero() {
		t.Error("it is not over")
	}
}

// TestLocalOnlyWatches: a bucket that is not enforced holds nobody, and says
// whom it would have held.
func TestLocalOnlyWatches(t *testing.T) {
	s := settings()
	s.Enforce = false
	d := newDesk(t, s)
	d.store = &Shared{}
	held := 0
	for i := range int64(12) {
		c := d.want("a", Batch, 0)
		if c.ticket == nil {
			t.Fatal("held")
		}
		if c.ticket.Held {
			held++
		}
		o := headers(d.milli()/60000*60000+60000, 10, max(0, 9-i))
		if i >= 10 {
			o.Status = 429
		}
		d.local.Answered(d.now, c.ticket, o)
		d.trips()
	}
	if held != 2 {
		t.Errorf("%d would have been held, want 2", held)
	}
	if own := d.store.own(); own != 12 {
		t.Errorf("the fleet knows of %d", own)
	}
}

func TestLocalSettings(t *testing.T) {
	s := settings()
	s.Shares = []Share{{Caller: "a", Cap: Amount{Tokens: 5}, Weight: 1}}
	d := newDesk(t, s)
	d.want("a", Batch, time.Minute)
	ask := d.ask()
	if len(ask.Shares) != 1 || ask.SharesID == 0 {
		t.Errorf("the fleet does not learn the shares: %+v", ask.Parameters)
	}
	d.answer(ask, d.known(ask, []int64{1}, 1))
	if c := d.want("a", Batch, time.Minute); c.ticket != nil {
		t.Error("a capped caller used the pool")
	}
	ask = d.ask()
	if ask.Shares != nil {
		t.Error("shares are told again that the fleet has")
	}
	s.Shares = nil
	d.local.SetSettings(s)
	a := d.known(ask, []int64{0}, 1)
	d.answer(ask, a)
	if ask = d.askAfter(heartbeat); len(ask.Shares) != 1 || ask.Shares[0].Caller != "" {
		t.Errorf("no shares are told as %+v", ask.Shares)
	}
	s.Enforce = false
	held := d.want("a", Batch, time.Minute)
	d.local.SetSettings(s)
	if held.ticket == nil {
		t.Error("it waits although nobody is held any more")
	}
}

// TestLocalSpend: what the transport repeats is counted like a request whose
// fate is unknown.
func TestLocalSpend(t *testing.T) {
	d := newDesk(t, settings())
	d.want("a", Batch, deskWait)
	ask := d.ask()
	d.answer(ask, d.known(ask, []int64{1}, 1))
	d.local.Spend(d.now, 2)
	ask = d.askAfter(heartbeat)
	if ask.Sent != 3 || ask.Done != 0 || ask.Keep != 0 || d.local.underWay() != 1 {
		t.Errorf("%+v", ask)
	}
}
