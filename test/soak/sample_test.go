package soak_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"iqgateway/test/rig"
)

// holding is what the gateway holds while it has nothing to do.
type holding struct{ goroutines, descriptors, heap float64 }

func (h holding) String() string {
	return fmt.Sprintf("%v goroutines, %v descriptors, %.2f MiB of heap", h.goroutines, h.descriptors, h.heap/(1<<20))
}

// sample lets all connections end, waits until nothing changes any more, and
// until the garbage is gone.
func (s *subject) sample(t *testing.T) holding {
	t.Helper()
	s.client.CloseIdleConnections()
	s.upstream.CloseClientConnections()
	var h holding
	var same int
	rig.Must(t, rig.Await(t.Context(), 5*time.Second, "the gateway is at rest", func() bool {
		now := s.read(t)
		same++
		if math.Abs(now.goroutines-h.goroutines) > 2 || math.Abs(now.descriptors-h.descriptors) > 1 { // more than its background work
			h, same = now, 0
		}
		return same >= 20
	}))
	h.heap = s.live(t)
	return h
}

func (s *subject) read(t *testing.T) holding {
	t.Helper()
	n, err := s.gateway.Descriptors()
	rig.Must(t, err)
	return holding{goroutines: s.metric(t, "go_goroutines"), descriptors: float64(n)}
}

// live is what the heap held after a collection, as far as the runtime tells:
// it sets the next one to twice that. Asking makes enough garbage for one. What
// pools and finalizers hold goes with the second and the third. Of several the
// median counts: it makes a difference where in the asking one falls.
func (s *subject) live(t *testing.T) float64 {
	t.Helper()
	const collections = "go_gc_duration_seconds_count"
	begun := s.metric(t, collections)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var readings []float64
	for done := 0.0; done < 11; done = s.metric(t, collections) - begun {
		if done >= 4 {
			readings = append(readings, s.metric(t, "go_memstats_next_gc_bytes")/2)
		}
		if ctx.Err() != nil {
			t.Fatal("no garbage was collected for a minute")
		}
	}
	slices.Sort(readings)
	return readings[len(readings)/2]
}

func (s *subject) metric(t *testing.T, name string) float64 {
	t.Helper()
	metrics, err := s.gateway.Metrics(t.Context())
	rig.Must(t, err)
	value, err := metrics.Sum(name)
	rig.Must(t, err)
	return value
}
