package observability_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/observability"
)

// tokenFetch is work that is always kept, and becomes one span.
func tokenFetch() observability.Work {
	return observability.Work{Name: "token.fetch", Exchange: &exchange.Exchange{Trace: exchange.NewTrace(), Start: time.Now()}}
}

// hanging is a collector that never answers, and notes that it was asked.
func hanging(t *testing.T) (url string, asked <-chan struct{}) {
	t.Helper()
	ends, calls := make(chan struct{}), make(chan struct{}, 1024)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		calls <- struct{}{}
		select {
		case <-ends:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(ends) })
	return s.URL, calls
}

func use(t *testing.T, traces *observability.Traces, c *observability.Collector) {
	t.Helper()
	if err := traces.Use(c); err != nil {
		t.Fatal(err)
	}
}

// slowTo is a collector with little room that is given an hour to answer.
func slowTo(url string) *observability.Collector {
	return &observability.Collector{URL: url + "/v1/traces", Queue: 64, Batch: 8, Delay: time.Millisecond, Timeout: time.Hour, ExportTimeout: time.Hour}
}

// running runs traces until stop is called, which gives what is left no time.
func running(t *testing.T) (traces *observability.Traces, metrics *observability.Metrics, stop func()) {
	t.Helper()
	metrics = newMetrics(t)
	traces = observability.NewTraces(observability.TracesOptions{Metrics: metrics})
	traces.Follow(observability.NewTracing(observability.TracingOptions{Traces: traces, Export: true}))
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan struct{})
	go func() { defer close(ran); traces.Run(ctx) }()
	return traces, metrics, func() {
		cancel()
		<-ran
		traces.Close(ctx)
	}
}

// What waits for room in a collector that is dead goes to the next one, at once;
// what the dead one has taken over is counted once, whenever the end comes.
func TestReloadAwayFromADeadCollector(t *testing.T) {
	dead, asked := hanging(t)
	live := newCollector(t)
	traces, metrics, stop := running(t)
	use(t, traces, slowTo(dead))
	const sent, room = 1000, 64
	for range sent {
		traces.Work(tokenFetch())
	}
	<-asked
	use(t, traces, &observability.Collector{URL: live.URL + "/v1/traces", Delay: time.Millisecond})
	for live.count("token.fetch") < sent-room {
		live.await(t, 1)
	}
	use(t, traces, nil)
	stop()
	exported, lost := counted(t, metrics, "iqgw_telemetry_exported_total", ""), counted(t, metrics, "iqgw_telemetry_dropped_total", "")
	if exported+lost != sent || lost == 0 {
		t.Errorf("%d spans are exported and %d lost of %d", exported, lost, sent)
	}
}

// Collectors that are left do not draw out the end.
func TestTheEndIsShort(t *testing.T) {
	dead, asked := hanging(t)
	traces, metrics, stop := running(t)
	const sent = 200
	for i := range 3 {
		use(t, traces, slowTo(dead+strings.Repeat("/x", i)))
		for range sent {
			traces.Work(tokenFetch())
		}
		<-asked
	}
	begin := time.Now()
	stop()
	if took := time.Since(begin); took > 4*time.Second { // without, five at least
		t.Errorf("it took %v", took)
	}
	if lost := counted(t, metrics, "iqgw_telemetry_dropped_total", `reason="shutdown"`); lost != 3*sent {
		t.Errorf("%d spans of %d are counted as lost", lost, 3*sent)
	}
}

// otherAuthority signs for nobody.
func otherAuthority(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// Authorities that were renewed in their file are believed from the next reload on.
func TestCollectorsCertificatesAreReadAgain(t *testing.T) {
	arrived := make(chan struct{}, 100)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- struct{}{} }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	write := func(text []byte) {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	to := observability.Collector{URL: s.URL + "/v1/traces", CAFile: file, Delay: time.Millisecond}
	traces, metrics, stop := running(t)
	defer stop()
	write([]byte("no certificate"))
	if err := traces.Use(&to); err == nil {
		t.Error("no error for authorities that cannot be read")
	}
	write(otherAuthority(t))
	use(t, traces, &to)
	traces.Work(tokenFetch())
	for counted(t, metrics, "iqgw_telemetry_dropped_total", `reason="export"`) == 0 {
		runtime.Gosched()
	}
	write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	again := to
	use(t, traces, &again)
	traces.Work(tokenFetch())
	select {
	case <-arrived:
	case <-time.After(time.Minute):
		t.Error("the new authorities are not believed")
	}
}

// A collector that takes all spans and says something is one that warns.
func TestCollectorWarns(t *testing.T) {
	c := newCollector(t)
	c.answer = func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write([]byte("\x0a\x08\x12\x06use v2")) // partial_success { error_message: "use v2" }
	}
	lines := &syncBuffer{}
	traces, metrics, stop := tracesTo(t, c.URL, lines)
	for range 3 {
		traces.Work(tokenFetch())
		c.await(t, 1)
	}
	stop()
	text := lines.String()
	if n := strings.Count(text, "the collector warns"); n != 1 || !strings.Contains(text, "use v2") || strings.Count(text, "\n") != 1 {
		t.Errorf("told %d times:\n%s", n, text)
	}
	if n := counted(t, metrics, "iqgw_telemetry_exported_total", ""); n != 3 || counted(t, metrics, "iqgw_telemetry_dropped_total", "") != 0 {
		t.Errorf("%d spans are exported", n)
	}
}
