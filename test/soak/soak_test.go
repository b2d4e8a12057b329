package soak_test

import (
	"flag"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/redistest"
	"iqgateway/test/rig"
	"iqgateway/test/soak"
)

var long = flag.Bool("long", false, "the long form: 1 000 000 requests")

// bounds are what a gateway may hold more or less than after its warm-up.
type bounds struct{ goroutines, descriptors, heap float64 }

const workers = 32

// fill is how many answers fill the cache, so that from then on it evicts.
const fill = 3000

// redisPool is how many connections to one Redis come and go by chance.
const redisPool = 32

// REL-34: after any number of requests of every kind a gateway holds what it
// held before, by itself and as one of a fleet.
func TestREL34Soak(t *testing.T) {
	binary, err := rig.Build(t.Context(), filepath.Join("..", ".."), t.TempDir())
	rig.Must(t, err)
	t.Run("alone", func(t *testing.T) {
		newSubject(t, binary, "").soak(t, bounds{goroutines: 10, descriptors: 5, heap: 0.05})
	})
	t.Run("redis", func(t *testing.T) {
		redis := redistest.Single(t)
		newSubject(t, binary, redis.Address()).soak(t, bounds{goroutines: 10, descriptors: 5 + redisPool, heap: 0.05})
	})
}

// soak makes half of all the requests.
func (s *subject) soak(t *testing.T, most bounds) {
	t.Helper()
	warmUp, chunk, chunks := 1500, 1000, 3
	if *long {
		warmUp, chunk, chunks = 47_000, 45_000, 10
	} else {
		most.heap *= 2 // noise, of which more samples would show less
	}
	begun := time.Now()
	s.load(t, fill, only(kinds(), "stored"))
	s.load(t, warmUp, kinds())
	held := []holding{s.sample(t)}
	for range chunks {
		s.load(t, chunk, kinds())
		held = append(held, s.sample(t))
		t.Logf("%7d requests: %s", s.count.Load(), held[len(held)-1])
	}
	t.Logf("%d requests in %s", s.count.Load(), time.Since(begun).Round(time.Second))
	judge(t, held, most)
	s.judgeTraces(t)
	if n := s.wrong.Load(); n > s.count.Load()/1000 {
		t.Errorf("%d requests ended otherwise than they should, such as:\n%s", n, strings.Join(s.some, "\n"))
	}
}

func judge(t *testing.T, held []holding, most bounds) {
	t.Helper()
	var goroutines, descriptors, heap []float64
	for _, h := range held {
		goroutines, descriptors, heap = append(goroutines, h.goroutines), append(descriptors, h.descriptors), append(heap, h.heap)
	}
	if n := soak.Spread(goroutines); n > most.goroutines {
		t.Errorf("goroutines: %v, so up to %v from the first", goroutines, n)
	}
	if n := soak.Spread(descriptors); n > most.descriptors {
		t.Errorf("descriptors: %v, so up to %v from the first", descriptors, n)
	}
	if drift := soak.Drift(heap); drift > most.heap || drift < -most.heap {
		t.Errorf("heap: %v bytes, a drift of %.1f %%", heap, 100*drift)
	}
}

// judgeTraces wants that every kind of request did to the gateway what it is
// for.
func (s *subject) judgeTraces(t *testing.T) {
	t.Helper()
	metrics, err := s.gateway.Metrics(t.Context())
	rig.Must(t, err)
	for _, k := range kinds() {
		sent := float64(s.sent[k.name])
		if sent == 0 {
			t.Errorf("no request of the kind %q", k.name)
		}
		for _, tr := range k.traces {
			got, err := metrics.Sum(tr.metric, tr.labels...)
			rig.Must(t, err)
			t.Logf("%s: %v sent, %v of %s%v", k.name, sent, got, tr.metric, tr.labels)
			if got < tr.least*sent {
				t.Errorf("%s: want at least %v for each", k.name, tr.least)
			}
		}
	}
}
