package proxy_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"iqgateway/internal/exchange"
	"iqgateway/proxy"
)

// dying answers the first request of its first connection, executes the second
// one and dies without an answer. All other connections work.
func dying(t *testing.T) (up *rawUpstream, executions *atomic.Int32) {
	t.Helper()
	executions = new(atomic.Int32)
	up = newRawUpstream(t, func(n int, c net.Conn, r *bufio.Reader) {
		for i := 1; ; i++ {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return
			}
			if strings.HasPrefix(req.RequestURI, "/run") {
				executions.Add(1)
			}
			if n == 1 && i == 2 {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	return up, executions
}

// net/http's transport runs some of these twice; the gateway runs none twice.
func TestREL01NoHiddenReplay(t *testing.T) {
	keys := map[string]http.Header{
		"no key":                  {},
		"Idempotency-Key":         {"Idempotency-Key": {"k"}},
		"X-Idempotency-Key":       {"X-Idempotency-Key": {"k"}},
		"empty Idempotency-Key":   {"Idempotency-Key": {""}},
		"empty X-Idempotency-Key": {"X-Idempotency-Key": {""}},
		"both keys":               {"Idempotency-Key": {"k"}, "X-Idempotency-Key": {"k"}},
	}
	for name, header := range keys {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			for _, body := range []string{"", "abc"} {
				t.Run(fmt.Sprintf("%s %s %q", name, method, body), func(t *testing.T) {
					expectOneExecution(t, method, body, header, nil)
				})
			}
		}
	}
	t.Run("GET with a side effect", func(t *testing.T) {
		expectOneExecution(t, "GET", "", nil, func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/svc/run") })
	})
}

func expectOneExecution(t *testing.T, method, body string, header http.Header, write func(*http.Request) bool) {
	t.Helper()
	up, executions := dying(t)
	g := newGate(t, up.URL, func(g *gate) {
		g.Write = write
		g.Service.ForwardHeaders = []string{"Idempotency-Key", "X-Idempotency-Key"}
	})
	g.do(t, http.MethodGet, "/svc/warm", nil, nil)
	res, answer := g.do(t, method, "/svc/run", strings.NewReader(body), header)
	if got := executions.Load(); got != 1 {
		t.Errorf("executed %d times", got)
	}
	var problem struct{ Type, Outcome string }
	if err := json.Unmarshal([]byte(answer), &problem); err != nil {
		t.Fatalf("%v in %q", err, answer)
	}
	if res.StatusCode != http.StatusBadGateway || problem.Outcome != "unknown" || !strings.HasSuffix(problem.Type, "#upstream-unreachable") {
		t.Errorf("status %d, %+v", res.StatusCode, problem)
	}
	receive(t, g.attempts, "warm attempt")
	if info := receive(t, g.attempts, "attempt"); info.Kind != proxy.FailedReset || info.Resends != 0 {
		t.Errorf("attempt %+v", info)
	}
}

// The upstream closes its idle connections at any moment. Requests of which
// nothing was written go out on another connection; nothing runs twice.
func TestREL02StalePoolRace(t *testing.T) {
	const requests = 1000
	var mu sync.Mutex
	executed := make(map[string]int)
	up := newRawUpstream(t, func(_ int, c net.Conn, r *bufio.Reader) {
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			body, err := io.ReadAll(req.Body)
			if err != nil {
				return
			}
			mu.Lock()
			executed[string(body)]++
			mu.Unlock()
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			if rand.IntN(3) == 0 { // without Connection: close, as after an idle timeout
				return
			}
		}
	})
	g := newGate(t, up.URL, nil)
	var lost int
	for i := range requests {
		nonce := fmt.Sprintf("n%d", i)
		res, _ := g.do(t, http.MethodPost, "/svc/x", strings.NewReader(nonce), nil)
		mu.Lock()
		runs := executed[nonce]
		mu.Unlock()
		if runs > 1 {
			t.Errorf("%s ran %d times", nonce, runs)
		}
		if res.StatusCode == http.StatusOK && runs != 1 {
			t.Errorf("%s was answered 200 and ran %d times", nonce, runs)
		}
		if res.StatusCode != http.StatusOK {
			lost++
			if p := g.exchangeOfLast(t).Problem; p == nil || p.Outcome == exchange.OutcomeNone {
				t.Errorf("%s failed without a word about its fate: %v", nonce, p)
			}
		} else {
			g.exchangeOfLast(t)
		}
	}
	t.Logf("%d of %d requests met a connection that died under them", lost, requests)
	if lost > requests/100 { // it was a third of them that could, before the gateway learns to leave such connections alone
		t.Errorf("%d of %d requests were lost", lost, requests)
	}
}

// exchangeOfLast returns the exchange of the request that just ended.
func (g *gate) exchangeOfLast(t *testing.T) *exchange.Exchange {
	t.Helper()
	<-g.attempts
	return g.finished(t)
}

func TestCallerThatLeavesCancelsTheUpstream(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("http2=%v", http2), func(t *testing.T) {
			started, cancelled := make(chan struct{}), make(chan struct{})
			up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/body" {
					_, _ = io.WriteString(w, "beginning")
					_ = http.NewResponseController(w).Flush()
				}
				close(started)
				<-r.Context().Done()
				close(cancelled)
				panic(http.ErrAbortHandler) // a late answer would only confuse
			}))
			up.EnableHTTP2 = http2
			up.StartTLS()
			t.Cleanup(up.Close)
			for _, path := range []string{"/header", "/body"} {
				started, cancelled = make(chan struct{}), make(chan struct{})
				g := newGate(t, up.URL, func(g *gate) { g.Settings.Trust = trusting(t, certificatePEM(up)) })
				conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", g.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.WriteString(conn, "GET /svc"+path+" HTTP/1.1\r\nHost: gw.test\r\n\r\n")
				receive(t, started, "request at the upstream")
				_ = conn.Close()
				receive(t, cancelled, "end of the upstream's request")
				if info := receive(t, g.attempts, "attempt"); info.Kind != proxy.FailedCallerGone {
					t.Errorf("%s: attempt %+v", path, info)
				}
				if ex := g.finished(t); ex.Problem != nil || !errors.Is(ex.Aborted, proxy.ErrCallerGone) {
					t.Errorf("%s: problem %v, aborted %v", path, ex.Problem, ex.Aborted)
				}
			}
		})
	}
}
