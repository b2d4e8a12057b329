package proxy_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/proxy"
)

// upload sends body and returns the problem that comes back.
func upload(t *testing.T, g *gate, body io.Reader) (*http.Response, exchange.Outcome) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.URL+"/svc/x", body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := g.client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var document struct{ Outcome exchange.Outcome }
	if err := json.NewDecoder(res.Body).Decode(&document); err != nil {
		t.Fatal(err)
	}
	return res, document.Outcome
}

// An upstream that stops reading ends the upload after timeouts.body_idle.
func TestUploadStallIsBounded(t *testing.T) {
	release := make(chan struct{})
	silent := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }) // never reads: no window opens
	up2 := httptest.NewUnstartedServer(silent)
	up2.EnableHTTP2 = true
	up2.StartTLS()
	t.Cleanup(up2.Close)
	up1 := newRawUpstream(t, func(_ int, _ net.Conn, r *bufio.Reader) {
		readHead(r)
		<-release
	})
	t.Cleanup(func() { close(release) }) // before the servers wait for their handlers
	for name, tt := range map[string]struct {
		origin, roots string
		body          func() io.Reader
	}{
		"HTTP/1":                  {origin: up1.URL, body: func() io.Reader { return &zeros{left: 1 << 30} }},
		"HTTP/2":                  {origin: up2.URL, roots: certificatePEM(up2), body: func() io.Reader { return &zeros{left: 1 << 30} }},
		"HTTP/2, the rest of it":  {origin: up2.URL, roots: certificatePEM(up2), body: func() io.Reader { return &zeros{left: 2 << 20} }},
		"HTTP/2, of known length": {origin: up2.URL, roots: certificatePEM(up2), body: func() io.Reader { return strings.NewReader(strings.Repeat("x", 2<<20)) }},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, tt.origin, func(g *gate) {
				g.Settings.Trust = trusting(t, tt.roots)
				g.Settings.WriteIdle, g.Service.BodyIdle = 4*short, 4*short
			})
			start := time.Now()
			res, outcome := upload(t, g, tt.body())
			if res.StatusCode != http.StatusGatewayTimeout || outcome != exchange.OutcomeUnknown {
				t.Errorf("%s, outcome %s", res.Status, outcome)
			}
			if status := res.Header.Get("Proxy-Status"); !strings.Contains(status, "error=connection_write_timeout") {
				t.Errorf("Proxy-Status %q", status)
			}
			if info := receive(t, g.attempts, "attempt"); info.Kind != proxy.FailedUploadIdle {
				t.Errorf("attempt ended as %q", info.Kind)
			}
			if took := time.Since(start); took > patience/2 {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// A caller that pauses is no upstream that does not read.
func TestSlowCallerIsNoStalledUpstream(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		_, _ = w.Write(text)
	}))
	t.Cleanup(up.Close)
	g := newGate(t, up.URL, func(g *gate) { g.Settings.WriteIdle, g.Service.BodyIdle = short, short })
	body, pen := io.Pipe()
	go func() {
		for _, text := range []string{"a", "b", "c"} {
			_, _ = io.WriteString(pen, text)
			<-time.After(2 * short)
		}
		_ = pen.Close()
	}()
	if res, text := g.do(t, http.MethodPost, "/svc/x", body, nil); res.StatusCode != http.StatusOK || text != "abc" {
		t.Errorf("%s %q", res.Status, text)
	}
}

// The caller's own deadline is told from that of the service.
func TestCallersOwnDeadlineIsItsOwn(t *testing.T) {
	up := newRawUpstream(t, func(_ int, _ net.Conn, r *bufio.Reader) {
		readHead(r)
		_, _ = io.Copy(io.Discard, r)
	})
	for name, tt := range map[string]struct {
		total time.Duration
		ms    string
		want  proxy.FailureKind
	}{
		"caller's":      {patience, "60", proxy.FailedCallerTime},
		"caller's only": {0, "60", proxy.FailedCallerTime},
		"service's":     {short, "9000", proxy.FailedDeadline},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var kind proxy.FailureKind
			g := newGate(t, up.URL, func(g *gate) {
				g.Service.Total = tt.total
				sanitize := proxy.Sanitize(proxy.SanitizeOptions{Hosts: []string{"127.0.0.1"}, Refuse: func(w http.ResponseWriter, _ *http.Request, err error) {
					t.Errorf("refused: %v", err)
					w.WriteHeader(http.StatusTeapot)
				}})
				g.Wrap = func(next http.Handler) http.Handler {
					return sanitize(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						next.ServeHTTP(w, r)
					}))
				}
				g.Spy = func(_ context.Context, err error) {
					mu.Lock()
					defer mu.Unlock()
					kind = proxy.KindOf(err)
				}
			})
			res, text := g.do(t, http.MethodGet, "/svc/x", nil, http.Header{"X-Request-Timeout-Ms": {tt.ms}})
			if res.StatusCode != http.StatusGatewayTimeout {
				t.Errorf("%s %s", res.Status, text)
			}
			mu.Lock()
			defer mu.Unlock()
			if info := receive(t, g.attempts, "attempt"); info.Kind != tt.want || kind != tt.want {
				t.Errorf("attempt ended as %q, its error is %q, want %q", info.Kind, kind, tt.want)
			}
			if own := strings.Contains(text, "X-Request-Timeout-Ms"); own != (tt.want == proxy.FailedCallerTime) {
				t.Errorf("told: %s", text)
			}
		})
	}
}
