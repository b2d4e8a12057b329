package quotasim

import (
	"slices"
	"time"

	"iqgateway/limiter"
)

// store is the one [limiter.Shared] behind a way that loses, repeats and delays.
type store struct {
	plan   StorePlan
	w      *world
	rnd    source
	clock  clock
	shared *limiter.Shared
	older  []older // for the failovers to come, by their order
	down   bool
	apart  map[int]bool // replicas that do not reach it
	mutate Mutation
}

// older is a copy of the store that lags behind.
type older struct {
	shared  *limiter.Shared
	granted int64 // tokens up to then
}

// Mutation falsifies what passes between the two sides, to see whether the
// checks notice. Nil functions falsify nothing.
type Mutation struct {
	Ask    func(*limiter.Ask)
	Answer func(*limiter.Answer)
	// Observation falsifies what a replica reads of an upstream's answer.
	Observation func(*limiter.Observation)
}

func newStore(w *world, m Mutation) *store {
	s := &store{
		plan: w.Store, w: w, rnd: newSource(w.Seed, drawStore), mutate: m,
		clock: w.Store.Clock, shared: new(limiter.Shared), apart: map[int]bool{},
	}
	for _, e := range w.Store.Events {
		if lag := e.lag(); lag > 0 {
			w.at(e.At-lag, func() { s.older = append(s.older, older{s.shared.Clone(), w.check.granted64}) })
		}
		w.at(e.At, func() { s.befall(e) })
	}
	return s
}

func (s *store) befall(e StoreEvent) {
	s.w.check.trace.add(s.w.now, "store: event %d replica %d for %v", e.Kind, e.Replica, e.For)
	switch e.Kind {
	case Outage:
		s.down = true
		s.w.after(e.For, func() { s.down = false })
	case Partition:
		s.apart[e.Replica] = true
		s.w.after(e.For, func() { delete(s.apart, e.Replica) })
	case Wipe, Failover:
		old := s.older[0]
		s.shared, s.older = old.shared, s.older[1:]
		s.clock.Offset += e.Jump
		s.w.check.lostWrites(s.w.check.granted64 - old.granted)
		if e.Kind == Wipe {
			s.shared = new(limiter.Shared)
		}
	}
}

// lag is how old the grants are at most that the event has forgotten and that
// still can be spent.
func (e StoreEvent) lag() time.Duration {
	switch e.Kind {
	case Failover:
		return e.Lost
	case Wipe:
		return 3 * time.Second // leases expire
	default:
		return 0
	}
}

func (s *store) reaches(replica int) bool { return !s.down && !s.apart[replica] }

// now is the store's clock, in milliseconds since 1970.
func (s *store) now() int64 {
	return origin().Add(s.clock.reads(s.w.now)).UnixMilli()
}

// trip carries an ask to the store and its answer back. Exactly one of the
// functions is called, once.
func (s *store) trip(replica int, ask limiter.Ask, answered func(limiter.Answer), failed func()) {
	ask.Uses, ask.Seen, ask.Shares = slices.Clone(ask.Uses), slices.Clone(ask.Seen), slices.Clone(ask.Shares)
	if s.mutate.Ask != nil {
		s.mutate.Ask(&ask)
	}
	ended := false
	end := func(do func()) {
		if !ended {
			ended = true
			do()
		}
	}
	s.w.after(s.plan.Timeout, func() { end(failed) })
	if s.rnd.chance(s.plan.LostAsk) {
		return
	}
	lost := s.rnd.chance(s.plan.LostReply)
	s.deliver(replica, ask, func(a limiter.Answer) {
		if !lost {
			s.w.after(s.half(), func() { end(func() { answered(a) }) })
		}
	})
	if s.rnd.chance(s.plan.Repeat) {
		s.deliver(replica, ask, func(limiter.Answer) {})
	}
}

// deliver has the ask reach the store, if that can be reached then.
func (s *store) deliver(replica int, ask limiter.Ask, then func(limiter.Answer)) {
	s.w.after(s.half(), func() {
		if s.reaches(replica) {
			then(s.apply(ask))
		}
	})
}

func (s *store) apply(ask limiter.Ask) limiter.Answer {
	s.w.record.sum.Trips++
	before := s.shared
	if s.rnd.chance(0.02) { // a repetition is compared with the first time
		before = nil
	}
	a := s.shared.Acquire(ask, s.now())
	if before == nil {
		s.w.check.repeated(a, s.shared, ask, s.now())
	}
	a.Grants, a.Left, a.Fair, a.Top = slices.Clone(a.Grants), slices.Clone(a.Left), slices.Clone(a.Fair), slices.Clone(a.Top)
	if s.mutate.Answer != nil {
		s.mutate.Answer(&a)
	}
	s.w.check.acquired(ask, a, s.shared.Limit)
	return a
}

// half draws the time of one direction.
func (s *store) half() time.Duration {
	d := s.rnd.logNormal(s.plan.RTT/2, 0.3)
	if s.rnd.chance(s.plan.Slow / 2) {
		d += s.rnd.between(10*time.Millisecond, 200*time.Millisecond)
	}
	return d
}
