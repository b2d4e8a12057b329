package limiter

import (
	"testing"
	"time"
)

// BenchmarkLocalTake is a request while a lease lasts: its token, taken at once,
// and what its answer tells.
func BenchmarkLocalTake(b *testing.B) {
	l, now := holding(b)
	o := headers(1_000_000, 1<<40, 1<<39)
	var got *Ticket
	r := Request{Caller: "a", Class: Batch, Granted: func(t *Ticket) { got = t }}
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Microsecond)
		got = nil
		l.Arrive(now, &r)
		if got == nil {
			b.Fatal("no token")
		}
		l.Answered(now, got, o)
		l.pool.until = l.now + heartbeat // the lease is renewed without a trip
	}
}

// holding is a Local that holds tokens without end.
func holding(t testing.TB) (*Local, time.Time) {
	l := NewLocal(LocalOptions{Replica: "r", Settings: settings()})
	now := time.Now()
	l.Arrive(now, &Request{Caller: "a", Class: Batch, Deadline: now.Add(time.Minute), Granted: func(*Ticket) {}})
	ask, due := l.Ask(now)
	if !due {
		t.Fatal("nothing is asked")
	}
	ms := now.UnixMilli()
	l.Answer(now, now, ask, Answer{
		Now: ms, Epoch: 1, Mode: ModeKnown, Name: 1_000_000, Lo: ms + 1e6, Hi: ms + 2e6, Limit: 1 << 40, Span: 60_000,
		Tolerance: 1200, Grants: []int64{1}, Pool: 1 << 39, Expires: ms + 3000, Available: 1 << 39, Replicas: 1,
		Left: []int64{1 << 39}, Fair: []int64{1 << 40},
	})
	return l, now
}

// TestLocalTakeAllocates one ticket and what the caller's callback needs.
func TestLocalTakeAllocates(t *testing.T) {
	l, now := holding(t)
	o := headers(1_000_000, 1<<40, 1<<39)
	var got *Ticket
	r := Request{Caller: "a", Class: Batch, Granted: func(t *Ticket) { got = t }}
	if n := testing.AllocsPerRun(1000, func() {
		l.Arrive(now, &r)
		l.Answered(now, got, o)
	}); n > 1 {
		t.Errorf("%v allocations, want the ticket alone", n)
	}
}

// BenchmarkLocalAsk is what a trip costs the replica, with twenty callers.
func BenchmarkLocalAsk(b *testing.B) {
	l, now := holding(b)
	for i := range 20 {
		l.queue.caller(string(rune('a'+i)), nil).lanes[Batch].arrived = 1
	}
	a := l.last
	a.Epoch = 1
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Millisecond)
		l.ask.urgent = true
		ask, due := l.Ask(now)
		if !due {
			b.Fatal("nothing is asked")
		}
		a.Now = now.UnixMilli()
		a.Expires = a.Now + 3000
		l.Answer(now, now, ask, a)
	}
}
