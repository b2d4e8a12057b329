package soak_test

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/auth"
	"iqgateway/internal/iqsim"
	"iqgateway/test/rig"
	"iqgateway/test/soak"
)

var long = flag.Bool("long", false, "the long form: 1 000 000 requests")

// What a gateway may hold more or less than after its warm-up.
const (
	mostGoroutines  = 10
	mostDescriptors = 5
	mostHeapDrift   = 0.05
)

const workers = 32

// fill is how many answers fill the cache, so that from then on it evicts.
const fill = 3000

// REL-34: after any number of requests of every kind a gateway holds what it
// held before. It has no Redis: the pool of connections to one grows and shrinks
// by chance, by more than what is measured here.
func TestREL34Soak(t *testing.T) {
	warmUp, chunk, chunks := 5000, 3000, 4
	if *long {
		warmUp, chunk, chunks = 47_000, 95_000, 10
	}
	s := newSubject(t)
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
	judge(t, held)
	if n := s.wrong.Load(); n > s.count.Load()/1000 {
		t.Errorf("%d requests ended otherwise than they should, such as:\n%s", n, strings.Join(s.some, "\n"))
	}
}

func judge(t *testing.T, held []holding) {
	t.Helper()
	var goroutines, descriptors, heap []float64
	for _, h := range held {
		goroutines, descriptors, heap = append(goroutines, h.goroutines), append(descriptors, h.descriptors), append(heap, h.heap)
	}
	if n := soak.Spread(goroutines); n > mostGoroutines {
		t.Errorf("goroutines: %v, so up to %v from the first", goroutines, n)
	}
	if n := soak.Spread(descriptors); n > mostDescriptors {
		t.Errorf("descriptors: %v, so up to %v from the first", descriptors, n)
	}
	if drift := soak.Drift(heap); drift > mostHeapDrift || drift < -mostHeapDrift {
		t.Errorf("heap: %v bytes, a drift of %.1f %%", heap, 100*drift)
	}
}

// subject is the gateway under test, with all that it needs.
type subject struct {
	gateway  *rig.Gateway
	upstream *httptest.Server
	client   *http.Client
	key      string

	count atomic.Int64
	wrong atomic.Int64
	mu    sync.Mutex
	some  []string // of the requests that ended wrongly
}

const configuration = `version: 1
server: {tls: {mode: none}, lame_duck: 0s}
admin: {}
environments:
  sim: {url: "http://ORIGIN/{service}"}
credentials:
  retail: {environment: sim, client_id: sim-client, client_secret: "${env:RIG_SECRET}", username: sim@example.com, password: "${env:RIG_PASSWORD}"}
cache: {memory: 1MiB}
defaults:
  headers: {forward: [X-Sim-Fault]}
services:
  productlibrary: {cache: {rules: [{path: /**, ttl: 1h}]}}
callers:
  till: {keys: [{id: till-1, sha256: DIGEST}], access: [{credential: retail, services: {"*": write}}]}
telemetry: {logs: {level: error}}
`

func newSubject(t *testing.T) *subject {
	t.Helper()
	limits := map[string]int{}
	for _, service := range []string{"crm", "order", "productlibrary"} {
		limits[service] = 1_000_000_000
	}
	sim, err := iqsim.New(iqsim.Options{Limits: limits, LedgerSize: -1, Switches: iqsim.Switches{FaultHeader: true}})
	must(t, err)
	s := &subject{upstream: httptest.NewServer(sim)}
	t.Cleanup(func() {
		s.upstream.CloseClientConnections()
		s.upstream.Close()
	})
	dir := t.TempDir()
	var digest string
	s.key, digest = auth.NewKey()
	file := filepath.Join(dir, "gateway.yaml")
	text := strings.NewReplacer("ORIGIN", s.upstream.Listener.Addr().String(), "DIGEST", digest).Replace(configuration)
	must(t, os.WriteFile(file, []byte(text), 0o600))
	binary, err := rig.Build(t.Context(), filepath.Join("..", ".."), t.TempDir())
	must(t, err)
	s.gateway, err = rig.NewGateway(binary, file, t.TempDir(), "RIG_SECRET=sim-secret", "RIG_PASSWORD=sim-password")
	must(t, err)
	must(t, s.gateway.Start(t.Context()))
	t.Cleanup(func() {
		if err := s.gateway.Stop(); err != nil {
			t.Errorf("%v\n%s", err, s.gateway.Log)
		}
	})
	s.client = &http.Client{
		Timeout: 30 * time.Second, Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: workers},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// load sends some mixed requests.
func (s *subject) load(t *testing.T, requests int, all []kind) {
	t.Helper()
	last := s.count.Load() + int64(requests)
	var crowd sync.WaitGroup
	for range workers {
		crowd.Go(func() {
			for {
				number := s.count.Add(1)
				if number > last {
					s.count.Add(-1)
					return
				}
				random := rand.New(rand.NewPCG(34, uint64(number)))
				k := pick(random, all)
				if err := s.send(t.Context(), k, number); err != nil {
					s.note(err)
				}
			}
		})
	}
	crowd.Wait()
}

func (s *subject) note(err error) {
	if s.wrong.Add(1) > 10 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.some = append(s.some, err.Error())
}

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
	must(t, rig.Await(t.Context(), 5*time.Second, "the gateway is at rest", func() bool {
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
	must(t, err)
	return holding{goroutines: s.metric(t, "go_goroutines"), descriptors: float64(n)}
}

// live is what the heap held after a collection, as far as the runtime tells:
// it sets the next one to twice that. Asking makes enough garbage for one.
func (s *subject) live(t *testing.T) float64 {
	t.Helper()
	const collections = "go_gc_duration_seconds_count"
	begun := s.metric(t, collections)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for s.metric(t, collections) < begun+4 { // what pools and finalizers hold goes with the second and the third
		if ctx.Err() != nil {
			t.Fatal("no garbage was collected for 20 s")
		}
	}
	return s.metric(t, "go_memstats_next_gc_bytes") / 2
}

func (s *subject) metric(t *testing.T, name string) float64 {
	t.Helper()
	metrics, err := s.gateway.Metrics(t.Context())
	must(t, err)
	value, err := metrics.Sum(name)
	must(t, err)
	return value
}
