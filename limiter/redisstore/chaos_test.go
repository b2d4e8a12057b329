package redisstore_test

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
	"iqgateway/limiter"
)

// eventuallyTold repeats an Ask, as its replica does, until it gets through.
func (s *side) eventuallyTold() limiter.Answer {
	s.t.Helper()
	var a limiter.Answer
	redistest.Eventually(s.t, "an ask gets through", func() bool {
		var err error
		a, err = s.try()
		return err == nil
	})
	return a
}

func TestAnEmptyStoreIsHealedByTheReplicas(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		one, two := newReplica(t, topology, redistest.Generous), newReplica(t, topology, redistest.Generous)
		a, b := newSide(t, one, bucket("main")), newSide(t, two, bucket("main"))
		b.ask.Replica += " b"
		a.learn()
		for range 5 {
			a.wants(20)
			a.tell()
		}
		sent := a.ask.Sent
		if sent < 20 {
			t.Fatalf("only %d sent", sent)
		}
		a.answered()
		a.tell()
		before := a.ask.Epoch
		topology.FlushAll(t)

		a.wants(0)
		answer := a.tell()
		if answer.Mode != limiter.ModeKnown || answer.Limit != a.limit || answer.Name != a.name || answer.Epoch <= before {
			t.Errorf("what one replica told: %+v (epoch before: %d)", answer, before)
		}
		b.wants(200)
		for range 300 {
			b.tell()
		}
		if total := sent + b.ask.Sent; total > a.limit || total < a.limit*9/10 {
			t.Errorf("%d and %d sent of %d", sent, b.ask.Sent, a.limit)
		}
		topology.NoEternalKeys(t)
	})
}

func TestARestartedStoreIsHealed(t *testing.T) {
	server := redistest.Single(t)
	r := newReplica(t, server, 500*time.Millisecond)
	s := newSide(t, r, bucket("main"))
	s.learn()
	s.wants(30)
	s.tell()
	s.answered()
	s.tell()
	sent := s.ask.Sent
	server.Kill()
	if _, err := s.try(); !errors.Is(err, redisconn.ErrAway) {
		t.Errorf("without a store: %v", err)
	}
	server.Start()
	s.wants(0)
	if a := s.eventuallyTold(); a.Mode != limiter.ModeKnown || a.Own+a.External < sent || a.Limit != s.limit {
		t.Errorf("%d were sent: %+v", sent, a)
	}
}

// An Ask whose answer did not come in time may have been applied: the same
// again gets the same tokens, once.
func TestALostAnswer(t *testing.T) {
	server := redistest.Single(t)
	brief, other := newReplica(t, server, 100*time.Millisecond), newReplica(t, server, redistest.Generous)
	s := newSide(t, brief, bucket("main"))
	redistest.Eventually(t, "a first ask", func() bool { _, err := s.try(); return err == nil })
	s = newSide(t, brief, bucket("lost"))
	s.learn()
	s.wants(10)
	ask := s.ask
	ask.Seq++
	server.Freeze()
	if a, err := brief.Acquire(t.Context(), s.key, ask); err == nil {
		t.Fatalf("a frozen server answered %+v", a)
	}
	server.Thaw()
	watch := func() limiter.Snapshot { return must[limiter.Snapshot](t)(other.View(t.Context(), s.key, nil)) }
	redistest.Eventually(t, "the ask arrives late", func() bool { return watch().Own == 11 })
	var a limiter.Answer
	redistest.Eventually(t, "the ask is repeated", func() bool {
		var err error
		a, err = brief.Acquire(t.Context(), s.key, ask)
		return err == nil
	})
	if a.Grants[0] != 10 || watch().Own != 11 {
		t.Errorf("repeated, it got %v, and own is %d", a.Grants, watch().Own)
	}
}

func TestTheMasterFailsOver(t *testing.T) {
	trio := redistest.Sentinel(t)
	one, two := newReplica(t, trio, 300*time.Millisecond), newReplica(t, trio, 300*time.Millisecond)
	a, b := newSide(t, one, bucket("main")), newSide(t, two, bucket("main"))
	b.ask.Replica += " b"
	a.limit = 1000
	a.learn()
	for round, change := range []func(testing.TB) *redistest.Server{trio.Failover, trio.KillMaster} {
		for range 3 {
			a.wants(50)
			a.eventuallyTold()
			b.wants(50)
			b.eventuallyTold()
		}
		change(t)
		a.wants(0)
		b.wants(0)
		a.eventuallyTold()
		answer := b.eventuallyTold()
		if sent := a.ask.Sent + b.ask.Sent + a.ask.Carry + b.ask.Carry; answer.Own < sent || answer.Limit != a.limit {
			t.Errorf("round %d: %d were sent: %+v", round, sent, answer)
		}
	}
	a.wants(1000)
	b.wants(1000)
	for range 300 {
		a.eventuallyTold()
		b.eventuallyTold()
	}
	if sent := a.ask.Sent + b.ask.Sent + a.ask.Carry + b.ask.Carry; sent > a.limit {
		t.Errorf("%d sent of %d", sent, a.limit)
	}
}

// A restored older state is what a failover that lost writes leaves: the
// replicas' own numbers repair it.
func TestLostWritesAreRepaired(t *testing.T) {
	topology := redistest.Single(t)
	one, two := newReplica(t, topology, redistest.Generous), newReplica(t, topology, redistest.Generous)
	client := redistest.Client(t, topology)
	a, b := newSide(t, one, bucket("main")), newSide(t, two, bucket("main"))
	b.ask.Replica += " b"
	a.learn()
	name := one.name(a.key, "state")
	older := must[string](t)(client.Get(t.Context(), name).Result())
	a.wants(40)
	b.wants(40)
	for range 3 {
		a.tell()
		b.tell()
	}
	sent := a.ask.Sent + b.ask.Sent
	if err := client.Set(t.Context(), name, older, time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	a.wants(0)
	b.wants(0)
	a.tell()
	if answer := b.tell(); answer.Own != sent || !answer.Repaired {
		t.Errorf("%d were sent: %+v", sent, answer)
	}
}

func TestScriptsAreFlushedAllTheTime(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		r := newReplica(t, topology, redistest.Generous)
		first := newSide(t, r, bucket("main"))
		first.limit = 1 << 20
		first.learn()
		stop := make(chan struct{})
		var tellers sync.WaitGroup
		var told atomic.Int64
		for i := range 4 {
			s := newSide(t, r, bucket("main"))
			s.ask.Replica = strconv.Itoa(i)
			tellers.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					s.wants(3)
					if _, err := s.try(); err != nil {
						t.Error(err)
					}
					told.Add(1)
				}
			})
		}
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for range 20 {
			<-tick.C
			topology.ScriptFlush(t)
		}
		close(stop)
		tellers.Wait()
		if told.Load() < 20 {
			t.Errorf("%d asks in a second", told.Load())
		}
		if odd := r.seen.String(); odd != "" {
			t.Errorf("counted %s", odd)
		}
	})
}
