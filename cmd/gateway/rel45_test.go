package main

import (
	"flag"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"
)

// seed repeats what a test has drawn.
var seed = flag.Uint64("seed", 0, "of the tests that kill gateways, 0 draws one; the same seed kills at the same points")

// REL-45: gateways under load are killed in the middle of everything that they
// do, at points in time drawn by chance. Each is ready again as fast as after any
// other start; no write is executed twice, no request is counted twice, what a
// dead gateway held alone ends by itself and another goes on.
func TestFleetREL45Kills(t *testing.T) {
	t.Parallel()
	members, calm := 2, 1
	if *long {
		members, calm = 3, 5
	}
	random := newSeed(t)
	k := newKills(t, members)
	k.begin(t)
	for _, p := range k.draw(killPoints(5), random) {
		if took := k.strike(t, p); *long && took > time.Second { // by the machine's doing?
			if took = k.strike(t, p.again()); took > time.Second {
				t.Errorf("%s: ready after %s, want at most a second", p, took)
			}
		}
	}
	k.finish(t, calm)
}

// killPoints is how often gateways are killed; few in the short form.
func killPoints(few int) int {
	if *long {
		return 50
	}
	return few
}

// newSeed returns what draws the points, and tells how to draw them again.
func newSeed(t *testing.T) *rand.Rand {
	t.Helper()
	drawn := *seed
	if drawn == 0 {
		drawn = rand.Uint64()
	}
	t.Logf("-seed=%d", drawn)
	return rand.New(rand.NewPCG(drawn, drawn))
}

// draw chooses the points: the phases of both lists in turn, each list in an order
// drawn anew whenever it begins.
func (k *kills) draw(n int, random *rand.Rand) []*killPoint {
	lists := killPhases()
	all := make([]*killPoint, n)
	for i := range all {
		phases := lists[i%2]
		turn := i / 2 % len(phases)
		if turn == 0 {
			random.Shuffle(len(phases), func(a, b int) { phases[a], phases[b] = phases[b], phases[a] })
		}
		phase := phases[turn]
		victim := random.IntN(len(k.members))
		all[i] = &killPoint{
			number: i, phase: phase, delay: time.Duration(random.Int64N(int64(phase.within))), first: random.IntN(2) == 0,
			victim: k.members[victim], other: k.members[(victim+1+random.IntN(len(k.members)-1))%len(k.members)],
		}
	}
	return all
}

// strike kills one gateway at a point, starts it again, looks whether all is in
// order, and returns how long it took to be ready.
func (k *kills) strike(t *testing.T, p *killPoint) time.Duration {
	t.Helper()
	p.phase.begin(k, t, p)
	pass(t, p.delay)
	p.victim.announce(false)
	p.victim.process.kill(t)
	k.killed = append(k.killed, time.Now())
	took := k.run(t, p.victim)
	k.ready = append(k.ready, took)
	if took > time.Second {
		t.Logf("%s: slow:\n%s", p, p.victim.process.out)
	}
	k.wantClaimsToEnd(t)
	if p.phase.then != nil {
		p.phase.then(k, t, p)
	}
	k.look(t, p.other)
	t.Logf("%-30s ready after %s", p, took.Round(time.Millisecond))
	return took
}

// finish lets windows pass in which nobody is killed, ends the load and judges.
func (k *kills) finish(t *testing.T, windows int) {
	t.Helper()
	begun := time.Now().Truncate(rollingWindow).Add(rollingWindow)
	pass(t, time.Until(begun.Add(time.Duration(windows)*rollingWindow)))
	k.load.end(t)
	k.look(t, k.members[0])
	k.wantQuotaKept(t)
	k.wantCountedOnce(t)
	if used, _ := k.usageOf(t, k.members[0].process); used.Attempts > k.upstreamRequests() || used.Attempts == 0 {
		t.Errorf("%d attempts were counted, the upstream has seen %d", used.Attempts, k.upstreamRequests())
	}
	await(t, "nothing is held any more", func() bool { return len(k.claims(t)) == 0 })
	for name, took := range k.over {
		t.Logf("%s: taken over %d times, after %s at most", name, len(took), slices.Max(took).Round(time.Millisecond))
	}
	k.wantReady(t)
	for _, m := range k.members { // all at once; they are waited for when the test ends
		m.process.signal(t, syscall.SIGTERM)
	}
}

// wantReady wants a start after a kill to take a second in the median at most,
// beyond what first starts take on this machine.
func (k *kills) wantReady(t *testing.T) {
	t.Helper()
	slices.Sort(k.ready)
	median, slowest, first := k.ready[len(k.ready)/2], k.ready[len(k.ready)-1], slices.Max(k.fresh)
	t.Logf("ready %d times after %s in the median, %s at most; %s at most when first started",
		len(k.ready), median.Round(time.Millisecond), slowest.Round(time.Millisecond), first.Round(time.Millisecond))
	if most := time.Second + 2*first; median > most {
		t.Errorf("want at most %s in the median", most)
	}
}
