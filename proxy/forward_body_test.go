package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"iqgateway/internal/exchange"
	"iqgateway/proxy"
)

// arrival is what an upstream saw of a request with a body.
type arrival struct {
	length  int64
	framing string
	body    string
	err     error
}

func recordBodies(t *testing.T) (*httptest.Server, <-chan arrival) {
	t.Helper()
	seen := make(chan arrival, 10)
	up := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		seen <- arrival{r.ContentLength, strings.Join(r.TransferEncoding, ","), string(body), err}
	}))
	t.Cleanup(up.Close)
	return up, seen
}

func TestBodyKeepsItsFraming(t *testing.T) {
	up, seen := recordBodies(t)
	g := newGate(t, up.URL, nil)
	tests := map[string]struct {
		fields, body string
		want         arrival
	}{
		"length":        {"Content-Length: 3", "abc", arrival{length: 3, body: "abc"}},
		"empty":         {"Content-Length: 0", "", arrival{length: 0}},
		"none":          {"X-A: b", "", arrival{length: 0}},
		"chunked":       {"Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n", arrival{length: -1, framing: "chunked", body: "abc"}},
		"chunked empty": {"Transfer-Encoding: chunked", "0\r\n\r\n", arrival{length: -1, framing: "chunked"}},
		"trailers end here": {
			"Transfer-Encoding: chunked\r\nTrailer: Authorization, X-Api-Key", "3\r\nabc\r\n0\r\nAuthorization: x\r\nX-Api-Key: y\r\n\r\n",
			arrival{length: -1, framing: "chunked", body: "abc"},
		},
	}
	for name, tt := range tests {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			g.raw(t, method+" /svc/x HTTP/1.1\r\nHost: gw.test\r\nConnection: close\r\n"+tt.fields+"\r\n\r\n"+tt.body, "")
			if got := receive(t, seen, "request"); got != tt.want {
				t.Errorf("%s %s: upstream saw %+v, want %+v", name, method, got, tt.want)
			}
		}
	}
}

func TestBodyAboveTheServicesLimit(t *testing.T) {
	up, seen := recordBodies(t)
	g := newGate(t, up.URL, func(g *gate) { g.Service.MaxBody = 10 })
	const head = " /svc/x HTTP/1.1\r\nHost: gw.test\r\n"

	g.raw(t, "POST"+head+"Connection: close\r\nContent-Length: 10\r\n\r\n0123456789", "")
	if got := receive(t, seen, "request"); got.body != "0123456789" || got.err != nil {
		t.Errorf("a body at the limit: %+v", got)
	}
	got := g.raw(t, "POST"+head+"Content-Length: 11\r\n\r\n01234567890", "")
	if !strings.HasPrefix(got, "HTTP/1.1 413 ") || !strings.Contains(got, "Connection: close") {
		t.Errorf("an announced body above the limit:\n%s", got)
	}
	if len(seen) > 0 {
		t.Error("an announced body above the limit reached the upstream")
	}

	got = g.raw(t, "POST"+head+"Transfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n", "")
	if !strings.HasPrefix(got, "HTTP/1.1 413 ") || !strings.Contains(got, "#body-too-large") {
		t.Errorf("a chunked body above the limit:\n%s", got)
	}
	select {
	case a := <-seen:
		if a.err == nil {
			t.Errorf("the upstream took a cut body for whole: %+v", a)
		}
	case i := <-g.attempts: // it may have been cut before its header left
		if i.Kind != "" && i.Kind != proxy.FailedCallerBody {
			t.Errorf("attempt ended as %q", i.Kind)
		}
	}
}

// Half a request is not a request: the upstream must never see its end.
func TestREL04HalfARequest(t *testing.T) {
	tests := map[string]string{
		"content length": "Content-Length: 100\r\n\r\n" + strings.Repeat("Q", 40),
		"chunked":        "Transfer-Encoding: chunked\r\n\r\n28\r\n" + strings.Repeat("Q", 40) + "\r\n",
		"broken chunk":   "Transfer-Encoding: chunked\r\n\r\n28\r\n" + strings.Repeat("Q", 40) + "\r\nzz\r\n",
	}
	for name, send := range tests {
		t.Run(name, func(t *testing.T) {
			tail := make(chan string, 1)
			up := newRawUpstream(t, func(_ int, _ net.Conn, r *bufio.Reader) {
				rest, _ := io.ReadAll(r) // to the end of the connection
				tail <- string(rest)
			})
			g := newGate(t, up.URL, nil)
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", g.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, "POST /svc/x HTTP/1.1\r\nHost: gw.test\r\n"+send); err != nil {
				t.Fatal(err)
			}
			receive(t, up.conns, "upstream connection")
			_ = conn.(*net.TCPConn).SetLinger(0) // a reset, not a goodbye
			_ = conn.Close()
			got := receive(t, tail, "end of the upstream connection")
			if strings.HasSuffix(got, "0\r\n\r\n") || strings.Count(got, "Q") > 40 {
				t.Errorf("the upstream saw a complete message:\n%s", got)
			}
			info := receive(t, g.attempts, "attempt")
			if info.Kind != proxy.FailedCallerBody && info.Kind != proxy.FailedCallerGone {
				t.Errorf("the caller's fault was booked as %q", info.Kind)
			}
		})
	}
}

// Over HTTP/2 a caller goes by ending its stream, or the connection under it.
func TestREL04HalfAStream(t *testing.T) {
	begun := make(chan string, 2)
	up := newRawUpstream(t, func(_ int, _ net.Conn, r *bufio.Reader) {
		begun <- readHead(r)
		_, _ = io.Copy(io.Discard, r)
	})
	g := newGate(t, up.URL, func(g *gate) { g.HTTP2 = true })
	for name, whole := range map[string]bool{"stream": false, "connection": true} {
		t.Run(name, func(t *testing.T) {
			conns := make(chan net.Conn, 1)
			client := &http.Transport{
				TLSClientConfig: g.client().Transport.(*http.Transport).TLSClientConfig, ForceAttemptHTTP2: true,
				DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
					conn, err := new(net.Dialer).DialContext(ctx, network, address)
					conns <- conn
					return conn, err
				},
			}
			defer client.CloseIdleConnections()
			source, rest := io.Pipe()
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL+"/svc/x", source)
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				if res, err := client.RoundTrip(req); err == nil {
					t.Errorf("answered: %s", res.Status)
					_ = res.Body.Close()
				}
			}()
			if _, err := io.WriteString(rest, "half"); err != nil {
				t.Fatal(err)
			}
			receive(t, begun, "request upstream")
			if conn := <-conns; whole {
				_ = conn.Close()
			} else {
				leave()
			}
			if ex := g.finished(t); ex.Problem != nil || !errors.Is(ex.Aborted, proxy.ErrCallerGone) {
				t.Errorf("problem %+v, aborted %v", ex.Problem, ex.Aborted)
			}
			<-done
		})
	}
}

func TestBrokenCallerBodyIsNotTheUpstreamsFault(t *testing.T) {
	up := newRawUpstream(t, func(_ int, _ net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) })
	g := newGate(t, up.URL, nil)
	got := g.raw(t, "POST /svc/x HTTP/1.1\r\nHost: gw.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n", "")
	if !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.Contains(got, "Connection: close") {
		t.Errorf("answer:\n%s", got)
	}
	if ex := g.finished(t); ex.Problem == nil || ex.Problem.Type != exchange.MalformedRequest {
		t.Errorf("problem %+v", ex.Problem)
	}
}

// zeros is a body of n bytes that nobody holds in memory.
type zeros struct{ left int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.left)
	clear(p[:n])
	z.left -= n
	return int(n), nil
}

func TestLargeBodiesPassInConstantMemory(t *testing.T) {
	size := int64(1 << 30)
	if testing.Short() {
		size = 256 << 20
	}
	const upload = 128 << 20
	var peak atomic.Uint64
	sample := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		for {
			old := peak.Load()
			if m.HeapInuse <= old || peak.CompareAndSwap(old, m.HeapInuse) {
				return
			}
		}
	}
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil || n != upload {
			t.Errorf("the upstream read %d bytes: %v", n, err)
		}
		sample()
		_, _ = io.Copy(w, &zeros{size})
	}))
	t.Cleanup(up.Close)
	g := newGate(t, up.URL, nil)
	runtime.GC()
	sample()
	idle := peak.Load()

	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.URL+"/svc/x", &zeros{upload})
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = upload
	res, err := g.client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	for read := int64(0); read < size; {
		n, err := io.CopyN(io.Discard, res.Body, size/16)
		if err != nil {
			t.Fatal(err)
		}
		read += n
		sample()
	}
	if grown := peak.Load() - idle; grown > 64<<20 {
		t.Errorf("%d MiB above idle", grown>>20)
	}
}

func TestCompressedAnswersPassUntouched(t *testing.T) {
	junk := bytes.Repeat([]byte("\x1f\x8bnot gzip at all"), 1000)
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Etag", `"1"`)
		w.Header().Set("Content-Length", strconv.Itoa(len(junk)))
		_, _ = w.Write(junk)
	}))
	t.Cleanup(up.Close)
	g := newGate(t, up.URL, nil)
	res, body := g.do(t, http.MethodGet, "/svc/x", nil, http.Header{"Accept-Encoding": {"gzip"}})
	if body != string(junk) {
		t.Error("the body was changed")
	}
	if res.Header.Get("Content-Encoding") != "gzip" || res.Header.Get("Etag") != `"1"` || res.ContentLength != int64(len(junk)) {
		t.Errorf("header %v", res.Header)
	}
}

// The same bytes must arrive whatever the sizes of reads and writes are.
func TestStreamsArriveWhole(t *testing.T) {
	sum := func(h hash.Hash) string { return string(h.Sum(nil)) }
	sent := sha256.New()
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := range 2000 {
			piece := bytes.Repeat([]byte{byte(i)}, i%977)
			sent.Write(piece)
			_, _ = w.Write(piece)
		}
	}))
	t.Cleanup(up.Close)
	g := newGate(t, up.URL, nil)
	_, body := g.do(t, http.MethodGet, "/svc/x", nil, nil)
	got := sha256.Sum256([]byte(body))
	if string(got[:]) != sum(sent) {
		t.Error("the answer was changed on its way")
	}
}

// An upstream that answers before it has read the body must not spoil the next
// request on its connection.
func TestAnswersBeforeTheBody(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusExpectationFailed)
			return
		}
		_, _ = io.WriteString(w, r.URL.RawQuery)
	}))
	t.Cleanup(up.Close)
	g := newGate(t, up.URL, nil)
	for i := range 50 {
		body := strings.NewReader(strings.Repeat("Q", 1<<16))
		res, _ := g.do(t, http.MethodPost, "/svc/x", body, http.Header{"Expect": {"100-continue"}})
		if res.StatusCode != http.StatusExpectationFailed {
			t.Fatalf("request %d: status %d", i, res.StatusCode)
		}
		nonce := strconv.Itoa(i)
		if _, got := g.do(t, http.MethodGet, "/svc/y?"+nonce, nil, nil); got != nonce {
			t.Fatalf("the answer to %s was %q", nonce, got)
		}
	}
}

// A caller may still be sending when the answer begins; neither cuts the other.
func TestAnswerAndBodyOverlap(t *testing.T) {
	const size = 1 << 20
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, "early,")
		_ = http.NewResponseController(w).Flush()
		n, err := io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, strconv.FormatInt(n, 10))
		if err != nil {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}))
	t.Cleanup(up.Close)
	g := newGate(t, up.URL, nil)
	body, caller := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.URL+"/svc/x", body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := g.client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	go func() { // only now that the answer has begun
		_, err := io.Copy(caller, &zeros{size})
		_ = caller.CloseWithError(err)
	}()
	answer, err := io.ReadAll(res.Body)
	if want := "early," + strconv.Itoa(size); string(answer) != want || err != nil {
		t.Errorf("answer %q, %v; want %q", answer, err, want)
	}
}
