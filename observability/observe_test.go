package observability_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"iqgateway/internal/exchange"
	"iqgateway/observability"
)

// syncBuffer is a log sink that several requests may write to.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// lines decodes every record; a line that is no JSON object fails the test.
func (s *syncBuffer) lines(t *testing.T) []map[string]any {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []map[string]any
	scanner := bufio.NewScanner(bytes.NewReader(s.b.Bytes()))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var line map[string]any
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			t.Fatalf("log line is no JSON object: %q: %v", scanner.Text(), err)
		}
		out = append(out, line)
	}
	return out
}

// observed serves next behind the observe stage on a real server.
func observed(t *testing.T, next http.HandlerFunc, query ...string) (*httptest.Server, *syncBuffer, *observability.Metrics) {
	t.Helper()
	sink := &syncBuffer{}
	logger, err := observability.NewLogger(sink, observability.LogOptions{Level: slog.LevelDebug})
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := observability.NewMetrics(observability.BuildInfo{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = metrics.Shutdown(t.Context()) })
	stage := observability.Observe(observability.ObserveOptions{
		Replica: "r1", Logger: logger, Metrics: metrics, QueryParameters: query,
		Refuse: func(w http.ResponseWriter, r *http.Request, err error) {
			if p, ok := errors.AsType[*exchange.Problem](err); ok {
				exchange.From(r.Context()).Problem = p
				w.WriteHeader(p.Status())
			}
		},
	})
	server := httptest.NewUnstartedServer(stage(next))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Start()
	t.Cleanup(server.Close)
	return server, sink, metrics
}

func get(t *testing.T, url string, edit ...func(*http.Request)) (*http.Response, string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range edit {
		e(r)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

func TestOneAccessLineWithTheDecisions(t *testing.T) {
	server, sink, _ := observed(t, func(w http.ResponseWriter, r *http.Request) {
		ex := exchange.From(r.Context())
		ex.Caller = &exchange.Caller{Name: "storefront", KeyID: "storefront-1"}
		ex.Target = &exchange.Target{Environment: "sandbox", Service: "crm", Route: "/sandbox/crm/v1/Companies({company})/Customers**"}
		ex.Credential, ex.Attempts, ex.UpstreamStatus, ex.UpstreamTime = "retail", 2, 200, 3*time.Millisecond
		ex.QuotaResult, ex.QuotaWait = exchange.QuotaWaited, 37500*time.Microsecond
		ex.Cache = exchange.CacheView{Result: exchange.CacheStale, Reason: "quota", Time: 250 * time.Microsecond}
		ex.Breaker, ex.Retries, ex.RetryResult = exchange.BreakerHalfOpen, 1, "answered"
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "hello")
	}, "Response")
	resp, _, err := get(t, server.URL+"/crm/v1/Companies(1)/Customers(secret-guid)?Response=Csv&name=private;Auth=x", func(r *http.Request) {
		r.Header.Set("X-Request-Id", "caller-7")
	})
	if err != nil {
		t.Fatal(err)
	}
	server.Close()
	lines := sink.lines(t)
	if len(lines) != 1 {
		t.Fatalf("%d lines, want 1", len(lines))
	}
	line := lines[0]
	want := map[string]any{
		"msg": "request", "caller_request_id": "caller-7", "caller": "storefront", "key_id": "storefront-1",
		"environment": "sandbox", "service": "crm", "route": "/sandbox/crm/v1/Companies({company})/Customers**",
		"credential": "retail", "method": "GET", "status": 201.0, "attempts": 2.0, "upstream_status": 200.0,
		"upstream_ms": 3.0, "bytes_out": 5.0, "query": "Response=Csv", "form": "path",
		"quota": "waited", "quota_wait_ms": 37.5,
		"cache": "stale", "cache_reason": "quota", "cache_ms": 0.25,
		"breaker": "half-open", "retries": 1.0, "retry": "answered",
	}
	for key, value := range want {
		if line[key] != value {
			t.Errorf("%s = %v, want %v", key, line[key], value)
		}
	}
	id, _ := line["request_id"].(string)
	if !strings.HasPrefix(id, "r1-") || resp.Header.Get("X-Request-Id") != id {
		t.Errorf("request id %q in the log, %q in the answer", id, resp.Header.Get("X-Request-Id"))
	}
	if text := sink.b.String(); strings.Contains(text, "private") || strings.Contains(text, "secret-guid") || strings.Contains(text, "Auth") {
		t.Errorf("the line shows a path or an unnamed parameter: %s", text)
	}
}

// A closed breaker and a request that went well at once are not worth a field.
func TestAccessLineOfAnUneventfulRequest(t *testing.T) {
	server, sink, _ := observed(t, func(_ http.ResponseWriter, r *http.Request) {
		exchange.From(r.Context()).Breaker = exchange.BreakerClosed
	})
	if _, _, err := get(t, server.URL); err != nil {
		t.Fatal(err)
	}
	server.Close()
	for _, field := range []string{"breaker", "retries", "retry"} {
		if _, there := sink.lines(t)[0][field]; there {
			t.Errorf("the line has %q: %s", field, sink.b.String())
		}
	}
}

func TestCallerCannotForgeARecord(t *testing.T) {
	server, sink, _ := observed(t, func(w http.ResponseWriter, r *http.Request) {
		ex := exchange.From(r.Context())
		ex.Problem = exchange.Refuse(exchange.MalformedRequest, strings.Repeat("x", 5000)).
			Because(errors.New("\x1b[2J\u2028\n{\"level\":\"error\"} \xff" + strings.Repeat("y", 100_000)))
		w.WriteHeader(http.StatusBadRequest)
	}, "q")
	if _, _, err := get(t, server.URL+"/?q=%0a%7b%22level%22:%22error%22%7d", func(r *http.Request) {
		r.Header.Set("X-Request-Id", "a\tb")
	}); err != nil {
		t.Fatal(err)
	}
	server.Close()
	lines := sink.lines(t)
	if len(lines) != 1 {
		t.Fatalf("%d lines, want 1", len(lines))
	}
	raw := sink.b.String()
	if len(raw) > 4096 || strings.ContainsAny(strings.TrimSuffix(raw, "\n"), "\x1b\n\u2028") || !utf8.ValidString(raw) {
		t.Errorf("fields are not capped or escaped: %d bytes, %.200q", len(raw), raw)
	}
	if _, there := lines[0]["caller_request_id"]; there {
		t.Error("an id with a control byte was logged")
	}
}

func TestPanicBeforeTheHeaderIsA500(t *testing.T) {
	server, sink, _ := observed(t, func(http.ResponseWriter, *http.Request) { panic("boom") })
	resp, _, err := get(t, server.URL)
	if err != nil || resp.StatusCode != http.StatusInternalServerError {
		t.Fatalf("%v, %v; want 500", resp, err)
	}
	server.Close()
	lines := sink.lines(t)
	if len(lines) != 2 || lines[0]["panic"] != "boom" || lines[1]["error"] != "internal-error" {
		t.Errorf("log: %v", lines)
	}
}

// A response that broke half-way must not look complete.
func TestBrokenResponsesAreCut(t *testing.T) {
	for name, thrown := range map[string]any{"panic": "boom", "abort": http.ErrAbortHandler} {
		t.Run(name, func(t *testing.T) {
			server, sink, _ := observed(t, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, "half")
				_ = http.NewResponseController(w).Flush()
				panic(thrown)
			})
			_, body, err := get(t, server.URL)
			if err == nil {
				t.Errorf("the caller read %q to a clean end", body)
			}
			server.Close()
			lines := sink.lines(t)
			last := lines[len(lines)-1]
			if last["error"] != "aborted" || last["status"] != 200.0 {
				t.Errorf("log: %v", last)
			}
		})
	}
}

func TestCallerThatLeavesIsLoggedAs499(t *testing.T) {
	entered := make(chan struct{})
	server, sink, _ := observed(t, func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	conn := &http.Transport{}
	failed := make(chan error, 1)
	cancelled, cancel := contextWithCancel(t)
	go func() {
		resp, err := conn.RoundTrip(r.WithContext(cancelled))
		if err == nil {
			_ = resp.Body.Close()
		}
		failed <- err
	}()
	<-entered
	cancel()
	if <-failed == nil {
		t.Error("the call did not fail")
	}
	server.Close()
	if lines := sink.lines(t); len(lines) != 1 || lines[0]["status"] != 499.0 || lines[0]["error"] != "client_gone" {
		t.Errorf("log: %v", lines)
	}
}

// A caller that leaves in the middle of an answer is no fault of the upstream.
func TestLeavingInTheMiddleIsNotAnAbortedUpstream(t *testing.T) {
	server, sink, _ := observed(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "half")
		exchange.From(r.Context()).Aborted = fmt.Errorf("the caller left: %w", context.Canceled)
		panic(http.ErrAbortHandler)
	})
	if _, _, err := get(t, server.URL); err == nil {
		t.Error("the answer looks complete")
	}
	server.Close()
	if lines := sink.lines(t); lines[0]["error"] != "client_gone" || lines[0]["status"] != 200.0 {
		t.Errorf("log: %v", lines)
	}
}

func TestInterimAnswersAreNotTheStatus(t *testing.T) {
	server, sink, _ := observed(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</x>")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusNoContent)
	})
	if _, _, err := get(t, server.URL); err != nil {
		t.Fatal(err)
	}
	server.Close()
	if lines := sink.lines(t); lines[0]["status"] != 204.0 {
		t.Errorf("status %v", lines[0]["status"])
	}
}

// CONNECT is answered on the hijacked connection.
func TestProblemGivesTheStatusOfAHijackedConnection(t *testing.T) {
	server, sink, _ := observed(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		exchange.From(r.Context()).Problem = exchange.Refuse(exchange.ConnectNotSupported, "")
		_ = conn.Close()
	})
	if _, _, err := get(t, server.URL); err == nil {
		t.Error("an answer came")
	}
	var lines []map[string]any
	// The server does not wait for a connection that it gave away.
	for deadline := time.Now().Add(10 * time.Second); len(lines) == 0 && time.Now().Before(deadline); runtime.Gosched() {
		lines = sink.lines(t)
	}
	if len(lines) != 1 || lines[0]["status"] != 405.0 || lines[0]["error"] != "connect-not-supported" {
		t.Errorf("log: %v", lines)
	}
}

func TestRequestBytesAreCounted(t *testing.T) {
	server, sink, _ := observed(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	if _, _, err := get(t, server.URL, func(r *http.Request) {
		r.Method, r.Body, r.ContentLength = http.MethodPost, io.NopCloser(strings.NewReader("12345")), 5
	}); err != nil {
		t.Fatal(err)
	}
	server.Close()
	if lines := sink.lines(t); lines[0]["bytes_in"] != 5.0 {
		t.Errorf("bytes_in %v", lines[0]["bytes_in"])
	}
}

func BenchmarkObserve(b *testing.B) {
	logger, _ := observability.NewLogger(io.Discard, observability.LogOptions{})
	metrics, err := observability.NewMetrics(observability.BuildInfo{})
	if err != nil {
		b.Fatal(err)
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	request := httptest.NewRequest(http.MethodGet, "/crm/v1/x", nil)
	for name, h := range map[string]http.Handler{
		"bare":     handler,
		"observed": observability.Observe(observability.ObserveOptions{Replica: "r", Logger: logger, Metrics: metrics})(handler),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(httptest.NewRecorder(), request)
			}
		})
	}
}
