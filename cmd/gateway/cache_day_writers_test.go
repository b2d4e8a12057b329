package main

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
	"iqgateway/internal/redistest"
)

// A location is written with the Version that was read, and a stale one costs a
// 409. Writers through the gateway never get one: on one replica at once, on
// all after the time in which they hear of it; whatever view of the location
// was read, and with copies of all of them on both replicas.
func TestFleetCacheVersions(t *testing.T) {
	s := newDayShop(t, redistest.Single(t), dayRig{factor: 1})
	rounds := 3 * len(nodeWays())
	if *long {
		rounds *= 10
	}
	t.Run("one replica, no pause", func(t *testing.T) {
		s.writeAll(t, rounds*3, 0, func(int) (read, write *replica) { return s.all[0], s.all[0] })
	})
	t.Run("two replicas, a pause", func(t *testing.T) { // read and written on the same one, or not
		s.writeAll(t, rounds, heardWithin, func(n int) (read, write *replica) { return s.all[n%2], s.all[n/2%2] })
	})
	// A fetch that began before a write ends after it: neither may it be kept,
	// nor may who asks after the write share in it.
	t.Run("slow upstream and many readers", func(t *testing.T) {
		latency := iqsim.Fault{Service: "entitymanager", Kind: iqsim.FaultLatency, Delay: iqsim.Duration(120 * time.Millisecond)}
		id, err := s.AddFault(latency)
		if err != nil {
			t.Fatal(err)
		}
		defer s.RemoveFaults(id)
		stop := s.readAll(t)
		defer stop()
		s.writeAll(t, len(nodeWays()), 0, func(int) (read, write *replica) { return s.all[0], s.all[0] })
		s.writeAll(t, len(nodeWays()), heardWithin, func(n int) (read, write *replica) { return s.all[n%2], s.all[n%2] })
	})
}

// writeAll changes locations in all ways, one after the other, and wants no
// 409. Before each change both replicas have copies of every view.
func (s *dayShop) writeAll(t *testing.T, rounds int, pause time.Duration, on func(n int) (read, write *replica)) {
	t.Helper()
	hits, conflicts := 0, 0
	last := map[string]float64{}
	for n := range rounds {
		w := nodeWrite{caller: dayCallers()[n%3], node: dayLocation(n / len(nodeWays())), way: nodeWays()[n%len(nodeWays())]}
		w.read, w.write = on(n)
		s.copies(t, w.node)
		done := s.mustRewrite(t, w)
		hits += oneWhen(done.read.hit())
		if done.write.status == http.StatusConflict {
			conflicts++
			t.Errorf("round %d: %s read Version %v (%s), %v before; the write got 409", n, w.way.read, done.version, done.read.cache, last[w.node])
		}
		last[w.node] = done.version
		passes(t, pause)
	}
	t.Logf("%d changes, %d conflicts; %d of the Versions came from the cache", rounds, conflicts, hits)
	if hits < rounds/2 {
		t.Errorf("%d of %d Versions came from the cache: hardly a copy was in the way", hits, rounds)
	}
}

// copies has both replicas keep every view of a location.
func (s *dayShop) copies(t *testing.T, node string) {
	t.Helper()
	var all sync.WaitGroup
	for _, path := range []string{companyTree, dayLocations, nodeWay{}.at(dayShopPath, node)} {
		for _, r := range s.all {
			all.Go(func() {
				if _, err := s.do(t.Context(), dayCall{caller: dayCallers()[0], method: http.MethodGet, target: path, on: r}); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
}

// readAll reads the views on both replicas over and over, until stop.
func (s *dayShop) readAll(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for _, r := range s.all {
		for n := range 6 {
			all.Go(func() {
				paths := []string{companyTree, dayLocations, nodeWay{}.at(dayShopPath, dayLocation(n))}
				for i := n; ctx.Err() == nil; i++ {
					call := dayCall{caller: dayCallers()[n%3], method: http.MethodGet, target: paths[i%len(paths)], on: r}
					if _, err := s.do(ctx, call); err != nil && ctx.Err() == nil {
						t.Error(err)
					}
					passes(t, 5*time.Millisecond)
				}
			})
		}
	}
	return func() { cancel(); all.Wait() }
}

// passes returns when d is over.
func passes(t *testing.T, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

// allHear waits until every replica has heard of all that was written until now:
// how long that takes is what TestFleetCacheVersions is about.
func (s *dayShop) allHear(t *testing.T) {
	t.Helper()
	for now := time.Now(); len(s.all) > 0; {
		deaf := 0
		for _, r := range s.all {
			var d cacheDocument
			if _, text := s.api(t, r, http.MethodGet, pathCache, ""); json.Unmarshal([]byte(text), &d) != nil || d.Log == nil || d.Log.Heard == nil || !d.Log.Heard.After(now) {
				deaf++
			}
		}
		if deaf == 0 || t.Context().Err() != nil {
			return
		}
		passes(t, 5*time.Millisecond)
	}
}

// Somebody writes past the gateway, which cannot know: its copy costs the next
// writer a 409, once. That one tells the gateway, the next read is fresh, on the
// other replica too, and the write after it succeeds.
func TestFleetCacheForeignWriter(t *testing.T) {
	s := newDayShop(t, redistest.Single(t), dayRig{factor: 1})
	other := s.foreign(t)
	rounds := 2 * len(nodeWays())
	if *long {
		rounds *= 10
	}
	for n := range rounds {
		w := nodeWrite{caller: dayCallers()[n%3], node: dayLocation(n / len(nodeWays())), way: nodeWays()[n%len(nodeWays())]}
		w.read, w.write = s.all[n%2], s.all[n%2]
		s.copies(t, w.node)
		now := other.write(t, w.node)
		first := s.mustRewrite(t, w)
		kept := w.way.read != dayNode // the rules keep all views but that one
		if first.read.hit() != kept || (first.write.status == http.StatusConflict) != kept {
			t.Errorf("%s after a foreign write: Cache-Status %s, and the write got %d", w.way.read, first.read.cache, first.write.status)
		}
		if !kept {
			continue
		}
		if n%4 >= 2 { // the other replica needs its time to hear of it
			s.allHear(t)
			w.read, w.write = s.all[(n+1)%2], s.all[(n+1)%2]
		}
		second := s.mustRewrite(t, w)
		if second.read.hit() || second.version != now || second.write.status != http.StatusOK {
			t.Errorf("%s after the 409: Cache-Status %s, Version %v, want %v; the write got %d", w.way.read, second.read.cache, second.version, now, second.write.status)
		}
		s.allHear(t)
	}
	t.Logf("%d foreign writes, %d conflicts in %d changes", rounds, s.conflicts.Load(), s.written.Load())
}

func (s *dayShop) mustRewrite(t *testing.T, w nodeWrite) nodeWritten {
	t.Helper()
	done, err := s.rewrite(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// The same with a foreign writer that never stops: a writer that tries until it
// succeeds is refused at most once for each foreign write, never because it was
// given again what it was refused for.
func TestFleetCacheForeignWriterNeverStops(t *testing.T) {
	s := newDayShop(t, redistest.Single(t), dayRig{factor: 1})
	other := s.foreign(t)
	node := dayLocation(0)
	changes := 20
	if *long {
		changes *= 15
	}
	ctx, cancel := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	writing.Go(func() {
		for ctx.Err() == nil {
			other.tryWrite(t, node)
			passes(t, 30*time.Millisecond)
		}
	})
	stop := s.readAll(t)
	for n := range changes {
		w := nodeWrite{caller: dayCallers()[0], node: node, way: nodeWays()[n%len(nodeWays())], read: s.all[n%2], write: s.all[n%2]}
		other.outlast(t, w)
		s.allHear(t) // the next one is on the other replica
	}
	cancel()
	writing.Wait()
	stop()
	t.Logf("%d changes through the gateway, %d foreign ones, %d conflicts", changes, other.changes(), s.conflicts.Load())
	if s.conflicts.Load() == 0 {
		t.Error("no conflict at all: the two never met")
	}
}

// outlast tries a change until it succeeds. After a 409 the next read is fresh:
// only a foreign write since then can refuse it again. Counted is from the
// beginning of the try that got it, as one may pass while its 409 is on its way
// and another caller's read, which this one shares, is answered.
func (f *foreign) outlast(t *testing.T, w nodeWrite) {
	t.Helper()
	for last := -1; ; { // how many foreign writes there were when the last try began
		began := f.changes()
		done := f.mustRewrite(t, w)
		if done.write.status == http.StatusOK {
			return
		}
		if f.changes() == last {
			t.Fatalf("%s, then %s: a second 409 without a foreign write between: Version %v, is %v, Cache-Status %s\n%s",
				w.way.read, w.way.write, done.version, f.ask(t, http.MethodGet, w.node, "")["Version"], done.read.cache, f.recent())
		}
		last = began
	}
}
