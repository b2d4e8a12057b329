package redisstore_test

import (
	"testing"
	"time"

	"iqgateway/limiter"
)

// side is a replica's side of a bucket whose upstream answers at once.
type side struct {
	t     *testing.T
	r     *replica
	key   limiter.Key
	ask   limiter.Ask
	limit int64
	used  int64 // by the upstream's count
	name  int64 // of its window
}

func newSide(t *testing.T, r *replica, key limiter.Key) *side {
	t.Helper()
	s := &side{t: t, r: r, key: key, limit: 100, ask: limiter.Ask{Replica: t.Name() + key.Service, RTT: 10}}
	s.name = s.now() + 60_000
	return s
}

// now is the clock of all servers of a test: they run on this machine.
func (s *side) now() int64 { return time.Now().UnixMilli() }

// tell asks with what it knows and spends what it gets at once.
func (s *side) tell() limiter.Answer {
	s.t.Helper()
	a, err := s.try()
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// try is tell for a store that may be away: the same Ask is told again.
func (s *side) try() (limiter.Answer, error) {
	ask := s.ask
	ask.Seq++
	ask.At = s.now()
	a, err := s.r.Acquire(s.t.Context(), s.key, ask)
	if err != nil {
		return a, err
	}
	s.ask.Seq = ask.Seq
	if a.Epoch != s.ask.Epoch {
		s.ask.Carry += s.ask.Sent - s.ask.Done
		s.ask.Sent, s.ask.Done = 0, 0
	}
	s.ask.Epoch, s.ask.Name = a.Epoch, a.Name
	for _, n := range a.Grants {
		s.ask.Sent += n
		s.used += n
	}
	return a, nil
}

// answered has everything that was sent answered by the current window.
func (s *side) answered() {
	now := s.now()
	s.ask.Done = s.ask.Sent
	s.ask.Carry = 0
	s.ask.Seen = []limiter.Seen{{
		Name: s.name, Limit: s.limit, Sent: now, First: now, Last: now, Used: s.used,
		Excess: s.used - s.ask.Sent, Lo: now + 58_000, Hi: now + 62_000,
	}}
}

// learn makes the bucket known.
func (s *side) learn() {
	s.t.Helper()
	s.wants(1)
	if a := s.tell(); s.ask.Sent != 1 {
		s.t.Fatalf("the probe: %+v", a)
	}
	s.wants(0)
	s.answered()
	if a := s.tell(); a.Mode != limiter.ModeKnown || a.Limit != s.limit {
		s.t.Fatalf("after the first answer: %+v", a)
	}
}

func (s *side) wants(n int64) {
	s.ask.Uses = []limiter.Use{{Caller: "canary-caller", Waiting: n, Arrived: n, Spent: s.ask.Sent}}
}

// next is the upstream's next window.
func (s *side) next() {
	s.name += 60_000
	s.used = 0
	s.ask.Carry += s.ask.Sent
	s.ask.Sent, s.ask.Done = 0, 0
	s.answered()
}
