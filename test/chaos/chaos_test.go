package chaos_test

import (
	"context"
	"flag"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"iqgateway/internal/iqsim"
	"iqgateway/internal/redistest"
	"iqgateway/test/chaos"
	"iqgateway/test/rig"
)

var (
	long = flag.Bool("long", false, "the long form: 100 000 writes")
	seed = flag.Uint64("seed", 0, "of schedule and load, 0 draws one; the same seed gives the same")
)

// TestMain silences the links' library, which logs to standard error.
func TestMain(m *testing.M) {
	flag.Parse()
	zerolog.SetGlobalLevel(zerolog.Disabled)
	os.Exit(m.Run())
}

const (
	roundWrites = 5000
	writeRate   = 250 // a second
)

// Numbered writes through three gateways while everything around them breaks:
// none is executed twice, every verdict is true, and nobody is left in doubt
// whose way was not disturbed.
func TestChaos(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("repeat it with -seed=%d", *seed)
	if !*long {
		chaosOn(t, redistest.Sentinel(t), 1)
		return
	}
	t.Run("sentinel", func(t *testing.T) { chaosOn(t, redistest.Sentinel(t), 15) })
	t.Run("single", func(t *testing.T) { chaosOn(t, redistest.Single(t), 5) })
}

func chaosOn(t *testing.T, redis redistest.Topology, rounds int) {
	t.Helper()
	begun := time.Now()
	f := newFleet(t, redis, *seed)
	var still sync.WaitGroup
	watched, unwatch := context.WithCancel(t.Context())
	still.Go(func() {
		rig.Watch(watched, func(from, to time.Time) {
			t.Logf("the machine stood still for %s", to.Sub(from))
			f.journal.Begin(chaos.Everywhere, from)(to)
		})
	})
	defer still.Wait()
	defer unwatch()
	c := &court{fleet: f, judge: chaos.NewJudge(chaos.Rules{Hosts: f.hosts()}, f.journal), steps: map[chaos.Kind]int{}}
	for round := range rounds {
		c.round(t, round)
	}
	c.calm(t)
	c.verdict(t, time.Since(begun))
}

// court is the judge with what is brought before it.
type court struct {
	*fleet
	judge *chaos.Judge
	told  int   // of the judge's violations
	since int64 // sequence of the last ledger entry that was judged
	steps map[chaos.Kind]int
}

// round makes one plan and one load happen, and judges them.
func (c *court) round(t *testing.T, round int) {
	t.Helper()
	number := *seed + uint64(round)
	length := roundWrites * time.Second / writeRate
	plan := chaos.NewPlan(number, length, replicas, round%3 == 0)
	l := &load{fleet: c.fleet, seed: number, rate: writeRate, first: round * roundWrites, count: roundWrites}
	t.Logf("round %d, seed %d", round, number)
	ctx, stop := context.WithTimeout(t.Context(), length+5*time.Second)
	defer stop()
	var lane, writes sync.WaitGroup
	writes.Go(func() { l.run(t.Context()) })
	lane.Go(func() { c.walk(ctx, t, plan.Replicas, c.beginReplica) })
	c.walk(ctx, t, plan.Common, c.beginCommon) // here, as redistest may end the test
	lane.Wait()
	writes.Wait()
	for _, s := range append(plan.Replicas, plan.Common...) {
		c.steps[s.Kind]++
	}
	c.hear(t, l.calls)
	t.Logf("so far: %s", c.judge.Figures().Short())
	c.searchSecrets(t)
}

// hear judges calls, and all that the upstream has seen since it was last asked.
func (c *court) hear(t *testing.T, calls []chaos.Call) {
	t.Helper()
	rig.Must(t, c.quiet(t.Context(), c.since))
	entries := c.Ledger(iqsim.LedgerQuery{Since: c.since})
	if len(entries) > 0 {
		c.since = entries[len(entries)-1].Seq
	}
	c.judge.Upstream(entries)
	c.judgeQuota(t, entries)
	for _, call := range calls {
		c.judge.Caller(call)
	}
	for _, v := range c.judge.Violations[c.told:] {
		t.Error(v)
	}
	c.told = len(c.judge.Violations)
}

// verdict reports the figures and what contradicts the invariants.
func (c *court) verdict(t *testing.T, took time.Duration) {
	t.Helper()
	f := c.judge.Figures()
	t.Logf("%s\n%ssteps: %v", took.Round(time.Second), f, c.steps)
	if f.Uncertain() > f.Explained() {
		t.Errorf("%d writes of unknown fate, more than the %d that were on disturbed ways, spoilt or left", f.Uncertain(), f.Explained())
	}
	if f.ByVerdict[chaos.OK] < f.Writes*2/5 || f.Uncertain() == 0 || f.ByVerdict[chaos.NotExecuted] == 0 {
		t.Errorf("a storm that leaves hardly anything through, or hardly anything in doubt, proves little:\n%s", f)
	}
	c.ways.judge(t, f.Writes)
	for _, g := range c.gateways { // of what was judged last
		c.searchLog(t, g)
	}
}
