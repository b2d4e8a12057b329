package cache

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestGhost(t *testing.T) {
	g, now := newGhost(1000), time.Unix(1000, 0)
	for _, step := range []struct {
		key      Key
		selected string
		after    time.Duration
		want     bool
	}{
		{"a", "x", 0, false},
		{"a", "x", 0, true},
		{"a", "y", 0, false},
		{"ax", "", 0, false},
		{"a", "x", 59 * time.Second, true},
		{"a", "x", time.Minute, false}, // its time is over, and begins again
		{"a", "x", 61 * time.Second, true},
	} {
		if got := g.would(step.key, step.selected, time.Minute, now.Add(step.after)); got != step.want {
			t.Errorf("%+v: %t", step, got)
		}
	}
	g.would("never", "", 0, now)
	if g.would("never", "", 0, now) {
		t.Error("what is not stored hit")
	}
}

func TestGhostIsBounded(t *testing.T) {
	const most = 1024
	g, now := newGhost(most), time.Unix(1000, 0)
	for i := range 100 * most {
		g.would(Key(fmt.Sprint(i)), "", time.Hour, now)
	}
	if n := g.len(); n > most {
		t.Errorf("%d are remembered", n)
	}
	hits := 0
	for i := range most / 4 {
		if g.would(Key(fmt.Sprint(100*most-1-i)), "", time.Hour, now) {
			hits++
		}
	}
	if hits < most/5 {
		t.Errorf("%d of the %d youngest are remembered", hits, most/4)
	}
}

func TestGhostIsConcurrent(t *testing.T) {
	g, now := newGhost(10_000), time.Unix(1000, 0)
	var misses atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 1000 {
				if !g.would(Key(fmt.Sprint(i)), "", time.Hour, now) {
					misses.Add(1)
				}
			}
		})
	}
	all.Wait()
	if n := misses.Load(); n != 1000 {
		t.Errorf("%d misses of 1000 keys", n)
	}
}

func BenchmarkGhost(b *testing.B) {
	g, now, key := newGhost(10_000), time.Now(), stateObject("/v1/items/1", 0).Key
	b.ReportAllocs()
	for b.Loop() {
		g.would(key, "application/json", time.Hour, now)
	}
}

// len is how many answers are remembered.
func (g *ghost) len() (n int) {
	for i := range g.shards {
		s := &g.shards[i]
		s.mu.Lock()
		n += len(s.young) + len(s.old)
		s.mu.Unlock()
	}
	return n
}
