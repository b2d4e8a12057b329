package quotasim

import (
	"flag"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	long  = flag.Bool("long", false, "run the long form of the simulation and write its plot")
	seed  = flag.Uint64("seed", 0, "the random run to repeat")
	runs  = flag.Int("runs", 0, "how many random runs; 0 = 200, or 10000 with -long")
	all   = flag.Bool("all", false, "show all runs that break an invariant")
	first = flag.Uint64("first", 1, "the seed of the first random run")
)

// TestSeed repeats one random run and shows what led to what it breaks.
func TestSeed(t *testing.T) {
	if *seed == 0 {
		t.Skip("no -seed")
	}
	s := Draw(*seed)
	t.Logf("%+v", s)
	result, broken := Run(s, Design())
	if broken != nil {
		t.Fatal(broken.Report())
	}
	t.Logf("%d requests, %d sent, %d refused, %d trips; %+v", result.Came, result.Sent, result.Refused, result.Trips, result.Windows)
}

// TestRandomRuns draws scenarios and checks every invariant that holds in them.
func TestRandomRuns(t *testing.T) {
	n := *runs
	switch {
	case n > 0:
	case *long:
		n = 10000
	default:
		n = 200
	}
	broken, sent := runMany(*first, n)
	by := map[string]int{}
	for _, v := range broken {
		by[v.Invariant]++
	}
	for i, v := range broken {
		if i < 20 || *all {
			t.Errorf("%v", v)
		}
	}
	if len(broken) > 0 {
		t.Errorf("%d of %d runs broke an invariant: %v", len(broken), n, by)
	}
	if sent == 0 {
		t.Error("nothing was sent")
	}
	t.Logf("%d runs, %d requests sent", n, sent)
}

// runMany runs the scenarios of n seeds on all processors.
func runMany(first uint64, n int) (broken []*Violation, sent int64) {
	var next, total atomic.Int64
	var mu sync.Mutex
	found := map[uint64]*Violation{}
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				s := Draw(first + uint64(i) - 1)
				result, v := runSafely(s)
				total.Add(int64(result.Sent))
				if v != nil {
					mu.Lock()
					found[s.Seed] = v
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	for _, s := range slices.Sorted(maps.Keys(found)) {
		broken = append(broken, found[s])
	}
	return broken, total.Load()
}

// runSafely turns a panic into a violation, so that its seed is told.
func runSafely(s Scenario) (r Result, v *Violation) {
	defer func() {
		if p := recover(); p != nil {
			stack := make([]byte, 1<<14)
			stack = stack[:runtime.Stack(stack, false)]
			v = &Violation{Invariant: "panic", Seed: s.Seed, Text: fmt.Sprintf("%v\n%s", p, stack)}
		}
	}()
	return Run(s, Design())
}

// TestRunsRepeat: a seed decides everything.
func TestRunsRepeat(t *testing.T) {
	for _, strategy := range append(Baselines(), Design()) {
		for s := range uint64(3) {
			a, _ := Run(Draw(s+100), strategy)
			b, _ := Run(Draw(s+100), strategy)
			if fmt.Sprint(a) != fmt.Sprint(b) {
				t.Errorf("%s: two runs of seed %d differ", strategy.Name, s+100)
			}
			if a.Came == 0 || a.Sent == 0 {
				t.Errorf("%s: of %d requests %d were sent", strategy.Name, a.Came, a.Sent)
			}
		}
	}
}

// TestDrawCovers: among a few hundred seeds every fault occurs, and every
// condition that invariants depend on holds somewhere.
func TestDrawCovers(t *testing.T) {
	seen := map[string]int{}
	note := func(what string, is bool) {
		if is {
			seen[what]++
		}
	}
	for s := range uint64(500) {
		sc := Draw(s + 1)
		c := sc.conditions()
		note("outside", c.outside)
		note("misled", c.misled)
		note("store away", c.storeAway)
		note("store lost", c.storeLost)
		note("faults", c.faults)
		note("losses", c.losses)
		note("zero refusals promised", !c.outside && !c.misled && !c.storeAway && !c.storeLost)
		note("full use promised", c.saturated && c.fine && !c.outside && !c.misled && !c.storeAway && !c.storeLost && !c.faults && !c.losses)
		for _, e := range sc.Store.Events {
			note(fmt.Sprint("store event ", e.Kind), true)
		}
		for _, e := range sc.Fleet.Events {
			note(fmt.Sprint("fleet event ", e.Kind), true)
		}
		note("first request opens", sc.Upstream.Anchored)
		note(fmt.Sprint("rounding ", sc.Upstream.Rounding), true)
	}
	want := []string{
		"outside", "misled", "store away", "store lost", "faults", "losses", "zero refusals promised",
		"full use promised", "first request opens", "rounding 0", "rounding 1", "rounding 2",
		"store event 0", "store event 1", "store event 2", "store event 3",
		"fleet event 0", "fleet event 1", "fleet event 2", "fleet event 3",
	}
	for _, w := range want {
		if seen[w] < 5 {
			t.Errorf("%q occurs %d times in 500 seeds", w, seen[w])
		}
	}
}
