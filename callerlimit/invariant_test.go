package callerlimit_test

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"iqgateway/callerlimit"
)

// scene is what happens to a fleet.
type scene struct {
	replicas int
	limit    callerlimit.Limit
	steps    []step
}

// step is some time of it.
type step struct {
	asked     []int // replicas
	perSecond int
	lasts     time.Duration
	latency   time.Duration
	holds     time.Duration // that each request lasts
	fault     string
}

var faults = []string{"", "away", "deaf", "hangs"}

func drawScene(t *rapid.T, faults []string) scene {
	s := scene{replicas: rapid.IntRange(1, 5).Draw(t, "replicas")}
	s.limit = callerlimit.Limit{
		Tokens: rapid.SampledFrom([]int{2, 20, 100}).Draw(t, "rate"), Per: time.Second,
		Burst:       rapid.SampledFrom([]int{0, 1, 7, 100, 300}).Draw(t, "burst"),
		Concurrency: rapid.SampledFrom([]int{1, 5, 20, 60}).Draw(t, "concurrency"),
	}
	for range rapid.IntRange(1, 4).Draw(t, "steps") {
		s.steps = append(s.steps, step{
			asked:     rapid.SliceOfN(rapid.IntRange(0, s.replicas-1), 1, 5).Draw(t, "asked"),
			perSecond: rapid.SampledFrom([]int{1, 30, 150}).Draw(t, "perSecond"),
			lasts:     rapid.SampledFrom([]time.Duration{100 * time.Millisecond, time.Second, 3500 * time.Millisecond}).Draw(t, "lasts"),
			latency:   rapid.SampledFrom([]time.Duration{0, time.Millisecond, 40 * time.Millisecond}).Draw(t, "latency"),
			holds:     rapid.SampledFrom([]time.Duration{0, 20 * time.Millisecond, 700 * time.Millisecond}).Draw(t, "holds"),
			fault:     rapid.SampledFrom(faults).Draw(t, "fault"),
		})
	}
	return s
}

// seen is what a fleet did: when it admitted requests, and the most that were
// under way at once.
type seen struct {
	mu       sync.Mutex
	admitted []time.Duration
	inside   int
	most     int
}

// play acts a scene out, and ends the fleet.
func (s scene) play(t *testing.T) *seen {
	t.Helper()
	f, saw, start := newFleet(t, s.replicas, s.limit), &seen{}, time.Now()
	var under sync.WaitGroup
	for _, p := range s.steps {
		f.store.set(func(d *disturbed) {
			d.latency, d.away, d.deaf, d.hangs = p.latency, p.fault == "away", p.fault == "deaf", p.fault == "hangs"
		})
		if p.fault == "lost" {
			for _, r := range f.all { // a crowd has each of them tell of itself
				for range s.limit.Concurrency {
					under.Go(func() { saw.call(t, r, start, time.Millisecond) })
				}
			}
			pass(p.latency + 20*time.Millisecond)
			f.store.Lose()
		}
		for i := range int(p.lasts.Seconds() * float64(p.perSecond)) {
			r := f.all[p.asked[i%len(p.asked)]]
			under.Go(func() { saw.call(t, r, start, p.holds) })
			pass(time.Second / time.Duration(p.perSecond))
		}
	}
	under.Wait()
	f.store.set(func(d *disturbed) { d.away, d.deaf, d.hangs = false, false, false })
	f.close(t)
	return saw
}

func (s *seen) call(t *testing.T, r *replica, start time.Time, holds time.Duration) {
	t.Helper()
	r.during(t, func() {
		s.mu.Lock()
		s.admitted = append(s.admitted, time.Since(start))
		s.inside++
		s.most = max(s.most, s.inside)
		s.mu.Unlock()
		pass(holds)
		s.mu.Lock()
		s.inside--
		s.mu.Unlock()
	})
}

// excess returns by how many requests the fleet has gone beyond burst + rate × t
// in some interval.
func excess(admitted []time.Duration, burst, rate float64) float64 {
	slices.Sort(admitted)
	level, at, worst := burst, time.Duration(0), 0.0
	for _, now := range admitted {
		level = min(burst, level+rate*(now-at).Seconds()) - 1
		at, worst = now, max(worst, -level)
	}
	return worst
}

// check plays drawn scenes; times is what the bounds are multiplied by.
func check(t *testing.T, faults []string, times float64) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) {
		s := drawScene(rt, faults)
		var failure string
		synctest.Test(t, func(t *testing.T) {
			saw := s.play(t)
			limit := s.limit.WithDefaults()
			burst := max(limit.Burst, s.replicas)
			for _, p := range s.steps {
				if p.fault == "lost" { // what replicas hold that had not told of it lately may be lent once more, until they do within a second
					burst += limit.Burst + limit.Tokens
				}
			}
			if over := excess(saw.admitted, times*float64(burst), times*float64(limit.Tokens)); over > 1e-3 {
				failure = fmt.Sprintf("%.2f requests beyond the rate of %+v", over, s)
			}
			if most := int(math.Ceil(times * float64(max(limit.Concurrency, s.replicas)))); saw.most > most {
				failure = fmt.Sprintf("%d at once, %d may be: %+v", saw.most, most, s)
			}
		})
		if failure != "" {
			rt.Fatal(failure)
		}
	})
}

// While the store answers, the fleet admits no more than burst + rate × t in any
// time t, and has no more under way than the concurrency, whatever comes where.
// Nobody waits: callAs sees to that.
func TestReplicasNeverExceedTheLimit(t *testing.T) { check(t, []string{""}, 1) }

// Where it loses everything, no slot is lent twice that a replica has told of, and
// each loss costs one burst at most; [TestStoreThatLosesEverything] is exact.
func TestReplicasWhoseStoreForgets(t *testing.T) { check(t, []string{"", "lost"}, 1) }

// While it does not, or loses answers, it is never more than twice that.
func TestReplicasWithoutTheStoreStayNearTheLimit(t *testing.T) { check(t, faults, 2) }
