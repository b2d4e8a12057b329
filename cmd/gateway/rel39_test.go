package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
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
	spans       *spanSink
	flow        time.Duration // how long an answer of a stream takes
	hashes      []string      // of the configurations, in order
	generations []weak.Pointer[generation]

	ordered, answered atomic.Int64 // the last reload, as an index of hashes
	stopped           atomic.Bool
	mu                sync.Mutex
	served            []servedBy
	whole             map[string]int // bytes of an answer, by target
}

// servedBy is a request with the reloads between which it began, and what its
// answer shows of the configuration.
type servedBy struct {
	id          string
	first, last int64 // that it may be served by
	via         bool  // its answer has the field
}

// newManyReloads has a trace of so many requests.
func newManyReloads(t *testing.T, sample string, flow time.Duration) *manyReloads {
	t.Helper()
	m := &manyReloads{flow: flow, whole: map[string]int{}, spans: newSpanSink(t)}
	m.rig = newRig(t, rigOptions{
		flags: append(adminTokenFlags(), "--set", "telemetry.traces.exporter=otlp", "--set", "telemetry.traces.endpoint="+m.spans.URL,
			"--set", "telemetry.traces.sample="+sample, "--set", "telemetry.logs.level=info"),
		environ: []string{"OTEL_BSP_SCHEDULE_DELAY=10"},
		start:   labelled(startOpened(func(g *gateway) { m.gateway = g })),
		sim: iqsim.Options{
			Limits:     map[string]int{"crm": 1_000_000},
			Switches:   iqsim.Switches{Window: iqsim.Duration(time.Hour)},
			LedgerSize: 1000,
		},
		extra: "services:\n  pricing: {quota: {max: 3}, cache: {mode: none}}\n" +
			"  crm: {quota: {assume: 1000000/600s}, cache: {mode: none}, timeouts: {connect: 10s}, limits: {max_in_flight: 2000}}\n",
	})
	m.rewrite(t, "lame_duck: 0s\n", "lame_duck: 0s\n"+m.settings(0))
	m.reloadOnce(t, 0)
	return m
}

// settings are those by which the configurations differ: each has a hash of its
// own, and every other one answers without Via.
func (m *manyReloads) settings(n int64) string {
	return fmt.Sprintf("  response_headers: %s\n  limits: {max_body: %dKiB}\n", [...]string{"standard", "minimal"}[n%2], 1000+n)
}

// reloadOnce reloads another configuration than all before, and returns how long
// it took until requests are served by it.
func (m *manyReloads) reloadOnce(t *testing.T, n int64) time.Duration {
	t.Helper()
	m.rewrite(t, m.settings(max(n-1, 0)), m.settings(n))
	began := time.Now()
	m.ordered.Store(n)
	done := m.reload(t)
	m.answered.Store(n)
	took := time.Since(began)
	m.hashes = append(m.hashes, done.Hash)
	m.generations = append(m.generations, weak.Make(m.gateway.current.Load()))
	return took
}

// ask sends requests until it is stopped, one after the other and so far apart.
func (m *manyReloads) ask(t *testing.T, target string, apart time.Duration) {
	tick := time.NewTicker(apart)
	defer tick.Stop()
	for ; !m.stopped.Load(); <-tick.C {
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
		m.served = append(m.served, servedBy{a.Header.Get("X-Request-Id"), first, m.ordered.Load(), a.Header.Get("Via") != ""})
		m.mu.Unlock()
	}
}

// streams has so many streams run, and stored answers beside them, meanwhile. They
// begin one after the other, so that they do not go on in step.
func (m *manyReloads) streams(t *testing.T, n int, meanwhile func()) {
	t.Helper()
	var load sync.WaitGroup
	defer load.Wait()
	m.stopped.Store(false)
	defer m.stopped.Store(true)
	before := m.received("crm")
	pace := time.NewTicker(m.flow / time.Duration(n))
	defer pace.Stop()
	for range n {
		<-pace.C
		load.Go(func() { m.ask(t, customers, time.Millisecond) })
	}
	load.Go(func() { m.ask(t, catalogItems, 2*time.Millisecond) })
	await(t, "the streams run", func() bool { return m.received("crm")-before >= int64(2*n) })
	meanwhile()
}

// received is how many requests of a service have arrived upstream.
func (m *manyReloads) received(service string) (n int64) {
	for _, services := range m.Counts() {
		n += services[service].Requests
	}
	return n
}

// wantOneGeneration wants each request to be served by one configuration, as its
// access line, its span and its answer tell it, and by none older than the one
// whose reload was answered before it began.
func (m *manyReloads) wantOneGeneration(t *testing.T) {
	t.Helper()
	index, lines := map[string]int64{}, map[string][]string{}
	for i, hash := range m.hashes {
		index[hash] = int64(i)
	}
	if len(index) != len(m.hashes) {
		t.Errorf("%d hashes of %d configurations", len(index), len(m.hashes))
	}
	for _, line := range m.accessLines(`"msg":"request"`) {
		id, _ := line["request_id"].(string)
		hash, _ := line["config"].(string)
		lines[id] = append(lines[id], hash)
	}
	spans := m.spans.configurations()
	traced := 0
	for _, s := range m.served {
		if len(lines[s.id]) != 1 {
			t.Errorf("request %q has the lines of %q", s.id, lines[s.id])
			continue
		}
		hash := lines[s.id][0]
		if span, known := spans[s.id]; known && span != hash {
			t.Errorf("request %q has a line of %q and a span of %q", s.id, hash, span)
		} else if known {
			traced++
		}
		if i, known := index[hash]; !known || i < s.first || i > s.last || s.via != (i%2 == 0) {
			t.Errorf("request %q was served by %q, which is number %d of %d to %d; Via: %t", s.id, hash, i, s.first, s.last, s.via)
		}
	}
	t.Logf("%d of %d requests were traced", traced, len(m.served))
	if traced < 100 {
		t.Errorf("%d spans", traced)
	}
}

// configurations are those that the spans tell that have arrived, by request.
func (s *spanSink) configurations() map[string]string {
	// Both attributes stand in one span as protobuf writes them, lengths between.
	pair := regexp.MustCompile(`iqgw\.request_id\x12.\x0a.([a-z0-9]+-[a-z0-9]+)(?s:.{0,600}?)iqgw\.config\x12.\x0a.([0-9a-f]{12})`)
	by := map[string]string{}
	for {
		select {
		case sent := <-s.sent:
			for _, found := range pair.FindAllSubmatch(sent, -1) {
				by[string(found[1])] = string(found[2])
			}
		default:
			return by
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

// holdings is what the process has, and a leak would have more of.
type holdings struct {
	goroutines, files int
	heap              int64
}

func (m *manyReloads) holdings(t *testing.T) holdings {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil && runtime.GOOS == "linux" {
		t.Fatal(err)
	}
	return holdings{goroutinesOf(t), len(files), int64(liveHeap())}
}

// REL-39: reloads while streams run fail none, serve each request by one
// configuration, keep what the stores hold, and leave nothing behind.
func TestREL39Reloads(t *testing.T) {
	streams, reloads, every, flow, sample := 60, 10, 100*time.Millisecond, 300*time.Millisecond, "100%"
	if *long {
		streams, reloads, every, flow, sample = 1000, 200, 300*time.Millisecond, 2*time.Second, "1%"
	}
	m := newManyReloads(t, sample, flow)
	dialled := m.countConnections(true)
	for range 3 {
		m.do(t, http.MethodGet, prices, "", noWaiting).want(t, http.StatusOK)
	}
	m.operate(t, "sim/availability is forced open", "breaker", "open", "sim/availability", "--for", "10m", "--reason", "x")
	m.do(t, http.MethodGet, catalogItems, "").want(t, http.StatusOK)
	if _, err := m.AddFault(iqsim.Fault{Kind: iqsim.FaultLatency, Service: "crm", At: iqsim.AtHeaders, Delay: iqsim.Duration(flow)}); err != nil {
		t.Fatal(err)
	}

	m.streams(t, streams, func() {})
	connections, before := dialled.Load(), m.holdings(t)
	times := make([]time.Duration, reloads)
	began := time.Now()
	m.streams(t, streams, func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for n := range times {
			<-tick.C
			times[n] = m.reloadOnce(t, int64(n+1))
		}
	})
	took := time.Since(began)
	await(t, "no more goroutines and files than before", func() bool {
		now := m.holdings(t)
		return now.goroutines < before.goroutines+reloads && now.files < before.files+reloads
	})
	after := m.holdings(t)
	slices.Sort(times)
	usual := times[reloads*95/100]
	t.Logf("%d reloads in %v, %d requests in %d streams; reloads serve after %v, 95 %% of them after %v, the slowest after %v; before %+v, after %+v",
		reloads, took, len(m.served), streams, times[reloads/2], usual, times[reloads-1], before, after)
	if usual > time.Second && *long { // load, upstream and gateway share the cores
		t.Errorf("reloads took up to %v", usual)
	}

	m.wantOneGeneration(t)
	m.wantKept(t)
	if n := dialled.Load(); n != connections {
		t.Errorf("%d connections, %d before the reloads", n, connections)
	}
	m.wantCollected(t)
	m.forget()
	if grown := int64(liveHeap()) - before.heap; grown > maxHeapGrowth {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}

// forget drops what the test itself has gathered.
func (m *manyReloads) forget() {
	m.served = nil
	m.logs.settle()
	m.logs.mu.Lock()
	defer m.logs.mu.Unlock()
	m.logs.b = bytes.Buffer{}
}

// wantKept wants the stores to hold what they held before the reloads.
func (m *manyReloads) wantKept(t *testing.T) {
	t.Helper()
	m.do(t, http.MethodGet, prices, "", noWaiting).want(t, http.StatusTooManyRequests)
	m.do(t, http.MethodGet, "/availability/v1/nothing", "").want(t, http.StatusServiceUnavailable)
	for service, want := range map[string]int64{"pricing": 3, "catalogs": 1, "accounts": 1, "availability": 0} {
		if n := m.received(service); n != want {
			t.Errorf("%d calls of %s, want %d", n, service, want)
		}
	}
}

// gatewayLabel marks the goroutines of one test's gateway, and all that they start.
const gatewayLabel = "gateway of"

// labelled has a starter start gateways whose goroutines can be told from those of
// tests that run beside this one.
func labelled(start starter) starter {
	return func(t testing.TB, stdout io.Writer, environ []string, args ...string) (a addresses) {
		t.Helper()
		pprof.Do(t.Context(), pprof.Labels(gatewayLabel, t.Name()), func(context.Context) {
			a = start(t, stdout, environ, args...)
		})
		return a
	}
}

// goroutinesOf counts the goroutines of the gateway that a test has started so.
func goroutinesOf(t testing.TB) int {
	t.Helper()
	var profile strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		t.Fatal(err)
	}
	label := fmt.Sprintf("# labels: {%q:%q}\n", gatewayLabel, t.Name())
	all, alike := 0, 0
	for line := range strings.Lines(profile.String()) {
		if number, _, found := strings.Cut(line, " @ "); found {
			alike, _ = strconv.Atoi(number) // the first line of each is one
		} else if line == label {
			all += alike
		}
	}
	return all
}
