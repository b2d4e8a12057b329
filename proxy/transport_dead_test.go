package proxy_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/proxy"
)

// hole is a network on the way to an upstream that may forget connections: what
// either side then writes on them goes nowhere, and neither hears of an end.
type hole struct {
	URL string

	mu     sync.Mutex
	lost   chan struct{} // closed: the connections that stood then are lost
	number int
}

func newHole(t *testing.T, up *httptest.Server) *hole {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hole{URL: "https://" + listener.Addr().String(), lost: make(chan struct{})}
	var all sync.WaitGroup
	t.Cleanup(all.Wait)
	t.Cleanup(func() { _ = listener.Close() })
	all.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", up.Listener.Addr().String())
			if err != nil {
				_ = near.Close()
				continue
			}
			t.Cleanup(func() { _, _ = near.Close(), far.Close() })
			lost := h.joined()
			all.Go(func() { pass(far, near, lost) })
			all.Go(func() { pass(near, far, lost) })
		}
	})
	return h
}

func (h *hole) joined() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.number++
	return h.lost
}

// connections returns how many there have been.
func (h *hole) connections() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.number
}

// forget loses the connections that stand, and no later ones.
func (h *hole) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.lost)
	h.lost = make(chan struct{})
}

// pass hands on what comes until the connection is lost; then it swallows.
func pass(to io.Writer, from net.Conn, lost <-chan struct{}) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		select {
		case <-lost:
			n = 0
		default:
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// REL-31: an HTTP/2 connection that is dead without a word is found by a ping.
// Requests on it end, those after it go out on a new one, and nothing is done
// twice.
func TestREL31DeadHTTP2Connection(t *testing.T) {
	var executed sync.Map
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, again := executed.LoadOrStore(r.URL.Path, true)
		if again {
			t.Errorf("%s was executed twice", r.URL.Path)
		}
		_, _ = io.WriteString(w, "begun")
		if strings.HasPrefix(r.URL.Path, "/stream") {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
	}))
	up.EnableHTTP2 = true
	up.StartTLS()
	t.Cleanup(func() { up.CloseClientConnections(); up.Close() })
	way := newHole(t, up)
	g := newGate(t, way.URL, func(g *gate) {
		g.Settings.Trust = trusting(t, certificatePEM(up))
		g.Settings = g.Settings.Probing(200*time.Millisecond, 200*time.Millisecond)
		g.Service.Total = 3 * patience
	})
	under := begin(t, g, "/svc/stream")
	if n := way.connections(); n != 1 {
		t.Fatalf("%d connections", n)
	}
	way.forget()
	res, body := g.do(t, http.MethodPost, "/svc/write", strings.NewReader("a"), nil)
	if status := res.Header.Get("Proxy-Status"); res.StatusCode != http.StatusBadGateway || !strings.Contains(status, "connection_terminated") ||
		!strings.Contains(body, `"outcome":"unknown"`) {
		t.Errorf("%d, Proxy-Status %q\n%s", res.StatusCode, status, body)
	}
	if _, err := io.ReadAll(under.Body); err == nil {
		t.Error("an answer that broke off looks whole")
	}
	if res, body := g.do(t, http.MethodPost, "/svc/next", strings.NewReader("a"), nil); res.StatusCode != http.StatusOK || way.connections() != 2 {
		t.Errorf("after that: %s %s over %d connections", res.Status, body, way.connections())
	}
	if _, was := executed.Load("/write"); was {
		t.Error("the lost write got through: the test shows nothing")
	}
}

// begin sends a request and returns once its answer has begun.
func begin(t *testing.T, g *gate, path string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := g.client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if text, err := bufio.NewReader(res.Body).Peek(5); err != nil || string(text) != "begun" {
		t.Fatalf("%q %v", text, err)
	}
	return res
}

// HTTP/1 has no ping: a request on a dead connection waits as long as it would
// for any answer, and then that connection is gone.
func TestREL31DeadHTTP1Connection(t *testing.T) {
	up := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	t.Cleanup(up.Close)
	way := newHole(t, up)
	g := newGate(t, way.URL, func(g *gate) {
		g.Settings.Trust = trusting(t, certificatePEM(up))
		g.Settings.ResponseHeader = time.Second // a loaded machine may need a while
		g.Service.Total = 3 * patience
	})
	g.do(t, http.MethodGet, "/svc/x", nil, nil)
	way.forget()
	res, _ := g.do(t, http.MethodGet, "/svc/x", nil, nil)
	if status := res.Header.Get("Proxy-Status"); res.StatusCode != http.StatusGatewayTimeout || !strings.Contains(status, "http_response_timeout") {
		t.Errorf("%d, Proxy-Status %q", res.StatusCode, status)
	}
	if kind := receive(t, g.attempts, "attempt").Kind; kind != proxy.FailedNot {
		t.Errorf("the first attempt failed by %q", kind)
	}
	if res, text := g.do(t, http.MethodGet, "/svc/x", nil, nil); res.StatusCode != http.StatusOK || way.connections() != 2 {
		t.Errorf("after that: %s %s over %d connections", res.Status, text, way.connections())
	}
}
