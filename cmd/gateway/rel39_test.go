package main

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"iqgateway/internal/iqsim"
)

// manyReloads is a gateway that reloads while streams run through it.
type manyReloads struct {
	*rig
	gateway     *gateway
	hashes      []string // of the configurations, in order
	generations []weak.Pointer[generation]

	ordered, answered atomic.Int64 // the last reload, as an index of hashes
	stopped           atomic.Bool
	mu                sync.Mutex
	served            []servedBy
	whole             map[string]int // bytes of an answer, by target
}

// servedBy is a request with the reloads between which it began.
type servedBy struct {
	id          string
	first, last int64 // that it may be served by
}

func newManyReloads(t *testing.T) *manyReloads {
	t.Helper()
	m := &manyReloads{whole: map[string]int{}}
	m.rig = newRig(t, rigOptions{
		flags: adminTokenFlags(), start: labelled(startOpened(func(g *gateway) { m.gateway = g })),
		sim: iqsim.Options{
			Limits:     map[string]int{"crm": 3, "availability": 1_000_000},
			Switches:   iqsim.Switches{Window: iqsim.Duration(10 * time.Minute)},
			LedgerSize: 200_000,
		},
		extra: "services:\n  crm: {quota: {assume: 3/600s}, cache: {mode: none}}\n" +
			"  availability: {quota: {assume: 1000000/600s}, cache: {mode: none}}\n",
	})
	m.rewrite(t, "lame_duck: 0s\n", "lame_duck: 0s\n  limits: {max_body: 1000KiB}\n")
	m.reloadOnce(t, 0)
	return m
}

// reloadOnce reloads another configuration than all before, and returns how long
// it took until requests are served by it.
func (m *manyReloads) reloadOnce(t *testing.T, n int64) time.Duration {
	t.Helper()
	m.rewrite(t, fmt.Sprintf("max_body: %dKiB", 1000+n-1), fmt.Sprintf("max_body: %dKiB", 1000+n))
	began := time.Now()
	m.ordered.Store(n)
	done := m.reload(t)
	m.answered.Store(n)
	took := time.Since(began)
	m.hashes = append(m.hashes, done.Hash)
	m.generations = append(m.generations, weak.Make(m.gateway.current.Load()))
	return took
}

// ask sends requests until it is stopped, one after the other.
func (m *manyReloads) ask(t *testing.T, target string) {
	for !m.stopped.Load() {
		first := m.answered.Load()
		a, err := m.try(t.Context(), http.MethodGet, target, "")
		if err == nil && a.StatusCode != http.StatusOK {
			err = errors.New(a.Status + " " + a.text)
		}
		if err != nil {
			t.Errorf("%s: %v", target, err)
			return
		}
		m.mu.Lock()
		if whole, known := m.whole[target]; known && whole != len(a.text) {
			t.Errorf("%s: %d bytes of %d", target, len(a.text), whole)
		}
		m.whole[target] = len(a.text)
		m.served = append(m.served, servedBy{a.Header.Get("X-Request-Id"), first, m.ordered.Load()})
		m.mu.Unlock()
	}
}

func (m *manyReloads) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.served)
}

// wantOneGeneration wants each request to be served by one configuration, and by
// none older than the one whose reload was answered before it began.
func (m *manyReloads) wantOneGeneration(t *testing.T) {
	t.Helper()
	index, by := map[string]int64{}, map[string][]int64{}
	for i, hash := range m.hashes {
		index[hash] = int64(i)
	}
	if len(index) != len(m.hashes) {
		t.Errorf("%d hashes of %d configurations", len(index), len(m.hashes))
	}
	for _, line := range m.accessLines(`"msg":"request"`) {
		id, _ := line["request_id"].(string)
		hash, _ := line["config"].(string)
		if i, known := index[hash]; known {
			by[id] = append(by[id], i)
		}
	}
	for _, s := range m.served {
		if got := by[s.id]; len(got) != 1 || got[0] < s.first || got[0] > s.last {
			t.Errorf("request %q was served by %d; it may be by %d to %d", s.id, got, s.first, s.last)
		}
	}
}

// wantCollected wants nothing to hold the generations that serve no more. Of the
// last ones some may be held yet: the runtime drops a stopped timer when it likes.
func (m *manyReloads) wantCollected(t *testing.T) {
	t.Helper()
	old := m.generations[:len(m.generations)-1]
	await(t, "old generations are collected", func() bool {
		runtime.GC()
		held := 0
		for _, g := range old {
			if g.Value() != nil {
				held++
			}
		}
		return held <= len(old)/4
	})
}

// REL-39: reloads while streams run fail none, serve each request by one
// configuration, keep what the stores hold, and leave nothing behind.
func TestREL39Reloads(t *testing.T) {
	streams, reloads, every := 60, 10, 100*time.Millisecond
	if *long {
		streams, reloads, every = 1000, 200, 300*time.Millisecond
	}
	m := newManyReloads(t)
	dialled := m.countConnections(true)
	m.spend(t, 3)
	m.operate(t, "sim/pricing is forced open", "breaker", "open", "sim/pricing", "--for", "10m", "--reason", "x")
	m.do(t, http.MethodGet, catalogItems, "").want(t, http.StatusOK)
	if _, err := m.AddFault(iqsim.Fault{Kind: iqsim.FaultLatency, Service: "availability", At: iqsim.AtBody, Delay: iqsim.Duration(300 * time.Millisecond)}); err != nil {
		t.Fatal(err)
	}

	var load sync.WaitGroup
	defer load.Wait()
	defer m.stopped.Store(true)
	for range streams {
		load.Go(func() { m.ask(t, stock) })
	}
	for range 2 {
		load.Go(func() { m.ask(t, catalogItems) })
	}
	await(t, "the streams run", func() bool { return len(m.calls("availability")) >= streams })
	connections, before := dialled.Load(), goroutinesOf(t)
	tick := time.NewTicker(every)
	defer tick.Stop()
	var slowest time.Duration
	for n := range reloads {
		<-tick.C
		slowest = max(slowest, m.reloadOnce(t, int64(n+1)))
	}
	await(t, "no more goroutines than before", func() bool { return goroutinesOf(t) < before+reloads/2 }) // but those of requests that begin and end
	m.stopped.Store(true)
	load.Wait()
	t.Logf("%d reloads, %d requests in %d streams; the slowest reload served after %v", reloads, m.count(), streams, slowest)
	if slowest > time.Second && *long {
		t.Errorf("a reload took %v", slowest)
	}

	m.wantOneGeneration(t)
	m.wantKept(t)
	if n := dialled.Load(); n != connections {
		t.Errorf("%d connections, %d before the reloads", n, connections)
	}
	m.wantCollected(t)
}

// wantKept wants the stores to hold what they held before the reloads.
func (m *manyReloads) wantKept(t *testing.T) {
	t.Helper()
	m.do(t, http.MethodGet, customers, "", noWaiting).want(t, http.StatusTooManyRequests)
	m.do(t, http.MethodGet, "/pricing/v1/nothing", "").want(t, http.StatusServiceUnavailable)
	for service, want := range map[string]int{"crm": 3, "catalogs": 1, "accounts": 1, "pricing": 0} {
		if n := len(m.calls(service)); n != want {
			t.Errorf("%d calls of %s, want %d", n, service, want)
		}
	}
}
