package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
	"iqgateway/internal/redistest"
)

// versionRead is one answer that told of a version.
type versionRead struct {
	begun   time.Time
	took    time.Duration
	version int
	fresh   bool // it was not to be found in memory: its path is new
}

// watchers write one node through a replica again and again, and read it
// through the others, from memory and from new keys.
type watchers struct {
	*replicas
	mu      sync.Mutex
	written []time.Time // when each version's write was answered, from version 1 on
	reads   []versionRead
	failed  []string
}

func (f *replicas) watch(t *testing.T) (w *watchers, stop func()) {
	t.Helper()
	w = &watchers{replicas: f, written: []time.Time{{}}}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { w.every(ctx, 100*time.Millisecond, func(i int) { w.write(ctx, i) }) })
	for _, r := range f.all[1:] {
		all.Go(func() { w.every(ctx, 5*time.Millisecond, func(int) { w.read(ctx, r, companyTree, false) }) })
		all.Go(func() {
			w.every(ctx, 20*time.Millisecond, func(i int) {
				w.read(ctx, r, fmt.Sprintf("%s?%s=%d", companyTree, r.server[len(r.server)-5:], i), true)
			})
		})
	}
	return w, func() {
		cancel()
		all.Wait()
	}
}

func (w *watchers) every(ctx context.Context, interval time.Duration, do func(i int)) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-tick.C:
			do(i)
		case <-ctx.Done():
			return
		}
	}
}

// write makes the next version.
func (w *watchers) write(ctx context.Context, i int) {
	node := fmt.Sprintf(`{"Name":"Grasslands %d","Version":%d}`, i, i+1)
	status, text, err := w.call(context.WithoutCancel(ctx), w.all[0], http.MethodPut, companyNode, node)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil || status != http.StatusOK {
		w.failed = append(w.failed, fmt.Sprintf("write %d: %d %.200s %v", i, status, text, err))
		return
	}
	w.written = append(w.written, time.Now())
}

func (w *watchers) read(ctx context.Context, r *replica, target string, fresh bool) {
	one := versionRead{begun: time.Now(), fresh: fresh}
	status, text, err := w.call(context.WithoutCancel(ctx), r, http.MethodGet, target, "")
	one.took = time.Since(one.begun)
	var tree any
	if err == nil {
		err = json.Unmarshal([]byte(text), &tree)
	}
	node := findNode(tree, "14203")
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil || status != http.StatusOK || node == nil {
		w.failed = append(w.failed, fmt.Sprintf("read: %d %.200s %v", status, text, err))
		return
	}
	version, _ := node["Version"].(float64)
	one.version = int(version)
	w.reads = append(w.reads, one)
}

// phase is what was seen in a span of time.
type phase struct {
	name     string
	from, to time.Time
}

// judge returns the longest time for which a version was read after the next
// one had been written, and the 99th percentiles of reads from memory and of
// others.
func (w *watchers) judge(p phase) (stale, memory, others time.Duration) {
	var took [2][]time.Duration
	for _, r := range w.reads {
		if r.begun.Before(p.from) || r.begun.After(p.to) {
			continue
		}
		if r.version < len(w.written) { // the next one was written
			stale = max(stale, r.begun.Sub(w.written[r.version]))
		}
		i := oneWhen(r.fresh)
		took[i] = append(took[i], r.took)
	}
	for i := range took {
		slices.Sort(took[i])
	}
	at := func(d []time.Duration) time.Duration {
		if len(d) == 0 {
			return 0
		}
		return d[len(d)*99/100]
	}
	return stale, at(took[0]), at(took[1])
}

// TestFleetCacheWithoutRedis: with a Redis that is killed, frozen or full no
// request fails or waits, and what one replica has written is not read from the
// copy of another for longer than promised.
func TestFleetCacheWithoutRedis(t *testing.T) {
	server := redistest.Single(t)
	f := newFleet(t, server, fleetOptions{ // about the cache alone: each answer tells of 1500 calls, far fewer than are made
		sim:   iqsim.Options{Limits: map[string]int{"entitymanager": 100_000}},
		extra: "services: {entitymanager: {quota: {kind: none}}}\n",
	})
	await(t, "the replicas know each other", func() bool { return f.metric(t, f.all[2], "iqgw_store_replicas") == 3 })
	f.settle(t, companyTree)
	w, stop := f.watch(t)
	lasting, between := 1200*time.Millisecond, 600*time.Millisecond
	if *long {
		lasting, between = 12*time.Second, 5*time.Second
	}
	var phases []phase
	during := func(name string, begin, end func()) {
		begin()
		p := phase{name: name, from: time.Now()}
		pass(t, lasting)
		p.to = time.Now()
		end()
		phases = append(phases, p)
		pass(t, between)
	}
	nothing := func() {}
	during("with Redis", nothing, nothing)
	during("frozen", server.Freeze, server.Thaw)
	during("killed", server.Kill, server.Start)
	during("full", func() { server.SetMaxMemory(t, 1, "noeviction") }, func() { server.SetMaxMemory(t, 0, "noeviction") })
	during("with Redis again", nothing, nothing)
	stop()
	if len(w.failed) > 0 {
		t.Errorf("%d calls failed: %.2000q", len(w.failed), w.failed[:min(5, len(w.failed))])
	}
	for i, p := range phases {
		stale, memory, others := w.judge(p)
		t.Logf("%-16s an old version was read for up to %v; p99 %v from memory, %v of new keys", p.name, stale, memory, others)
		bound := 6 * time.Second // five, and what the replica had not heard of before
		if i == 0 || i == len(phases)-1 {
			bound = time.Second // 100 ms, on a machine that has time
		}
		if stale > bound {
			t.Errorf("%s: an old version was read for %v after the next was written", p.name, stale)
		}
	}
}
