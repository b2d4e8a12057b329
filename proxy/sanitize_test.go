package proxy_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/proxy"
)

// refusal writes the kind of a problem, nothing else.
func refusal(w http.ResponseWriter, _ *http.Request, err error) {
	var p *exchange.Problem
	if !errors.As(err, &p) {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	w.WriteHeader(p.Status())
	fmt.Fprint(w, p.Type)
}

// sanitized serves h behind the sanitize stage, in the clear.
func sanitized(t testing.TB, o proxy.SanitizeOptions, h http.HandlerFunc) string {
	t.Helper()
	o.Refuse = refusal
	s := httptest.NewServer(proxy.Sanitize(o)(h))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// dialogue opens a connection that fails the test instead of blocking it.
func dialogue(t testing.TB, addr string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}

func readAnswer(t testing.TB, in *bufio.Reader) (int, string, *http.Response) {
	t.Helper()
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("broken answer: %v", err)
	}
	return res.StatusCode, string(body), res
}

// readBody is a stage that needs the caller's body.
func readBody(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	var fault *proxy.ClientBodyError
	switch {
	case errors.As(err, &fault):
		refusal(w, r, fault.Problem())
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadGateway)
	default:
		fmt.Fprint(w, n)
	}
}

func TestStalledBodyIsTheCallersFault(t *testing.T) {
	addr := sanitized(t, proxy.SanitizeOptions{BodyIdleTimeout: 50 * time.Millisecond}, readBody)
	c, in := dialogue(t, addr)
	fmt.Fprint(c, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
	status, body, res := readAnswer(t, in)
	if status != http.StatusRequestTimeout || body != string(exchange.RequestTimeout) || !res.Close {
		t.Errorf("%d %s, close %v; want 408 and close", status, body, res.Close)
	}
	if _, err := in.ReadByte(); err == nil {
		t.Error("the connection goes on")
	}
}

func TestStalledBodyOverHTTP2(t *testing.T) {
	s := httptest.NewUnstartedServer(proxy.Sanitize(proxy.SanitizeOptions{BodyIdleTimeout: 50 * time.Millisecond, Refuse: refusal})(http.HandlerFunc(readBody)))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	body, stalled := io.Pipe() // never written to
	defer func() { _ = stalled.Close() }()
	res, err := s.Client().Post(s.URL+"/x", "text/plain", body)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.ProtoMajor != 2 || res.StatusCode != http.StatusRequestTimeout {
		t.Errorf("%s %s; want HTTP/2 and 408", res.Proto, res.Status)
	}
}

// The limit is on silence, not on the whole: a body that trickles arrives.
func TestSlowBodyArrives(t *testing.T) {
	started := make(chan struct{}, 1)
	addr := sanitized(t, proxy.SanitizeOptions{BodyIdleTimeout: 2 * time.Second}, func(w http.ResponseWriter, r *http.Request) {
		started <- struct{}{}
		readBody(w, r)
	})
	c, in := dialogue(t, addr)
	fmt.Fprint(c, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
	<-started
	for _, b := range []string{"a", "b", "c"} {
		fmt.Fprint(c, b)
	}
	if status, body, _ := readAnswer(t, in); status != http.StatusOK || body != "3" {
		t.Errorf("%d %s", status, body)
	}
}

// An answer without reading the body must not wait for it.
func TestUnreadBodyDelaysNothing(t *testing.T) {
	release := make(chan struct{})
	addr := sanitized(t, proxy.SanitizeOptions{}, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_ = http.NewResponseController(w).Flush() // the caller would tell
		<-release
	})
	c, in := dialogue(t, addr)
	fmt.Fprint(c, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
	res, err := http.ReadResponse(in, nil)
	close(release)
	if err != nil || res.StatusCode != http.StatusUnauthorized || !res.Close {
		t.Errorf("%+v, %v; want 401 and close", res, err)
	}
	if _, err := in.Discard(1 << 20); !errors.Is(err, io.EOF) { // nor does net/http wait for it
		t.Errorf("the connection goes on: %v", err)
	}
}

// A caller that takes nothing of the answer loses the connection; the handler
// is not held for ever.
func TestUnreadAnswerEnds(t *testing.T) {
	ended := make(chan error, 1)
	addr := sanitized(t, proxy.SanitizeOptions{WriteIdleTimeout: 50 * time.Millisecond}, func(w http.ResponseWriter, _ *http.Request) {
		var err error
		for block := make([]byte, 1<<16); err == nil; {
			_, err = w.Write(block)
		}
		ended <- err
	})
	c, _ := dialogue(t, addr)
	fmt.Fprint(c, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
	if err := receive(t, ended, "the end of the handler"); err == nil {
		t.Error("the write succeeded")
	}
}

// The same over HTTP/2, where a stream without window blocks alone, and where
// a pause between two writes must not count.
func TestWriteIdleOverHTTP2(t *testing.T) {
	ended := make(chan error, 1)
	pause := make(chan struct{})
	s := httptest.NewUnstartedServer(proxy.Sanitize(proxy.SanitizeOptions{WriteIdleTimeout: 50 * time.Millisecond, Refuse: refusal})(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/pause" {
				fmt.Fprint(w, "a")
				_ = http.NewResponseController(w).Flush()
				fmt.Fprint(w, "b")
				<-pause
				fmt.Fprint(w, "c")
				return
			}
			var err error
			for block := make([]byte, 1<<16); err == nil; {
				_, err = w.Write(block)
			}
			ended <- err
		})))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()

	slow, err := s.Client().Get(s.URL + "/pause")
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Body.Close()
	endless, err := s.Client().Get(s.URL + "/endless") // its body is never read
	if err != nil {
		t.Fatal(err)
	}
	defer endless.Body.Close()
	if err := receive(t, ended, "the end of the endless answer"); err == nil {
		t.Error("the write succeeded")
	}
	close(pause) // later than the timeout that has just struck the other stream
	if body, err := io.ReadAll(slow.Body); err != nil || string(body) != "abc" {
		t.Errorf("the answer with a pause: %q, %v", body, err)
	}
}

func TestCallersDeadline(t *testing.T) {
	tests := []struct {
		value string
		want  string
	}{
		{"", "none"},
		{"1500", "1.5s"},
		{"3600000", "10m0s"}, // bounded
		{"0", string(exchange.MalformedRequest)},
		{"-1", string(exchange.MalformedRequest)},
		{"1.5", string(exchange.MalformedRequest)},
		{"soon", string(exchange.MalformedRequest)},
		{"99999999999", string(exchange.MalformedRequest)},
	}
	start := time.Now()
	h := proxy.Sanitize(proxy.SanitizeOptions{Refuse: refusal})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		deadline, ok := r.Context().Deadline()
		if !ok {
			fmt.Fprint(w, "none")
			return
		}
		fmt.Fprint(w, deadline.Sub(start).Round(500*time.Millisecond))
	}))
	for _, tt := range tests {
		r := httptest.NewRequest(http.MethodGet, "http://a/x", nil)
		r.RequestURI = "/x"
		if tt.value != "" {
			r.Header.Set("X-Request-Timeout-Ms", tt.value)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Body.String() != tt.want {
			t.Errorf("%q: %s, want %s", tt.value, w.Body, tt.want)
		}
	}
}

// The cause tells the caller's deadline from that of the service.
func TestCallersDeadlineIsTheCause(t *testing.T) {
	cause := make(chan error, 1)
	addr := sanitized(t, proxy.SanitizeOptions{}, func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		cause <- context.Cause(r.Context())
	})
	c, _ := dialogue(t, addr)
	fmt.Fprint(c, "GET /x HTTP/1.1\r\nHost: a\r\nX-Request-Timeout-Ms: 20\r\n\r\n")
	err := receive(t, cause, "the deadline")
	if err == nil || !strings.Contains(err.Error(), "X-Request-Timeout-Ms") || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("cause %v", err)
	}
}

func TestStagesSeeNoHopByHopFields(t *testing.T) {
	h := proxy.Sanitize(proxy.SanitizeOptions{Refuse: refusal})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.Header.Write(w); err != nil {
			t.Error(err)
		}
		if r.Trailer != nil {
			t.Errorf("trailers %v", r.Trailer)
		}
	}))
	r := httptest.NewRequest(http.MethodPost, "http://a/x", nil)
	r.RequestURI = "/x"
	r.Trailer = http.Header{"X-T": nil}
	for _, line := range []string{
		"Connection: close, X-Hop", "Connection: x-other", "X-Hop: 1", "X-Other: 1", "Keep-Alive: 1", "Proxy-Connection: 1",
		"TE: trailers", "Upgrade: h2c", "HTTP2-Settings: 1", "Accept: kept", "X-Api-Key: kept",
	} {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	before := len(r.Header)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if got, want := w.Body.String(), "Accept: kept\r\nX-Api-Key: kept\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(r.Header) != before {
		t.Error("the header of the server's own request was changed")
	}
}

func TestFormOfTheRequest(t *testing.T) {
	o := proxy.SanitizeOptions{
		Hosts: []string{"GW.test."}, AllowAbsolute: true, Refuse: refusal,
		NativeHost: func(h string) bool { return h == "crmdemo.iqmetrix.net" },
	}
	tests := []struct{ host, uri, want string }{
		{"gw.test", "/crm", "path"},
		{"crmdemo.iqmetrix.net", "/v1", "native"},
		{"crmdemo.iqmetrix.net", "http://crmdemo.iqmetrix.net/v1", "absolute"},
		{"gw.test", "http://gw.test/crm", "path"},
		{"other.test", "/crm", string(exchange.UnknownHost)},
	}
	for _, anyHost := range []bool{false, true} {
		if anyHost {
			o.Hosts = nil
			tests[3].want = string(exchange.UnknownHost) // an absolute URL must name a known host
			tests[4].want = "path"
		}
		h := proxy.Sanitize(o)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, exchange.From(r.Context()).Form)
		}))
		for _, tt := range tests {
			r := httptest.NewRequest(http.MethodGet, "http://a/x", nil)
			r.Host, r.RequestURI = tt.host, tt.uri
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r.WithContext(exchange.With(r.Context(), &exchange.Exchange{})))
			if w.Body.String() != tt.want {
				t.Errorf("any host %v: %s %s is %s, want %s", anyHost, tt.host, tt.uri, w.Body, tt.want)
			}
		}
	}
}
