package proxy_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"iqgateway/proxy"
)

// bodyFaults are HTTP/1 requests whose body is at fault, behind the key.
func bodyFaults() map[string]struct {
	send   string
	status string
} {
	const chunked = "Transfer-Encoding: chunked\r\n\r\n"
	return map[string]struct{ send, status string }{
		"stall":                    {"Content-Length: 10\r\n\r\nabc", "408"},
		"stall after 100 Continue": {"Content-Length: 10\r\nExpect: 100-continue\r\n\r\n", "408"},
		"stall before a chunk":     {chunked + "3\r\nabc\r\n", "408"},
		"stall in a chunk":         {chunked + "5\r\nabc", "408"},
		"no last line end":         {chunked + "3\r\nabc\r\n0\r\n", "408"},
		"malformed chunk":          {chunked + "3\r\nabcXX0\r\n\r\n", "400"},
		"malformed size":           {chunked + "0x3\r\nabc\r\n0\r\n\r\n", "400"},
		"too large":                {chunked + "7d0\r\n" + strings.Repeat("a", 2000) + "\r\n", "413"},
	}
}

// Whoever sends a broken body is told so. net/http ends the context of an
// HTTP/1 request on any error of its body, as if the caller had left.
func TestFaultsOfTheBodyAreAnswered(t *testing.T) {
	for _, plain := range []bool{true, false} {
		f := newFront(t, frontOptions{Plain: plain, Sanitize: func(o *proxy.SanitizeOptions) {
			o.BodyIdleTimeout, o.MaxBody = short, 1000
		}})
		for name, tt := range bodyFaults() {
			t.Run(fmt.Sprintf("%s, plain %v", name, plain), func(t *testing.T) {
				t.Parallel()
				got := f.raw(t, "POST /catalogs/v1/x HTTP/1.1\r\nHost: "+gatewayHost+"\r\nX-Api-Key: "+f.Key+"\r\n"+tt.send)
				got = strings.TrimPrefix(got, "HTTP/1.1 100 Continue\r\n\r\n")
				if !strings.HasPrefix(got, "HTTP/1.1 "+tt.status+" ") || !strings.Contains(got, "\r\nConnection: close\r\n") {
					t.Errorf("want %s and the end of the connection, got\n%.400s", tt.status, got)
				}
			})
		}
	}
}

// raw sends bytes to the front and returns what comes back.
func (f *front) raw(t *testing.T, send string) string {
	t.Helper()
	conn, _ := dialogue(t, f.Addr)
	if f.TLS != nil {
		conn = tls.Client(conn, f.TLS)
	}
	if _, err := io.WriteString(conn, send); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil && len(got) == 0 {
		return err.Error()
	}
	return string(got)
}

// A deadline that passes while the body is still to come ends the wait for it.
func TestDeadlineDuringABody(t *testing.T) {
	f := newFront(t, frontOptions{Plain: true, Sanitize: func(o *proxy.SanitizeOptions) { o.BodyIdleTimeout = time.Hour }})
	for _, body := range []string{"Content-Length: 10\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"} {
		got := f.raw(t, "POST /catalogs/v1/x HTTP/1.1\r\nHost: "+gatewayHost+"\r\nX-Api-Key: "+f.Key+"\r\nX-Request-Timeout-Ms: 60\r\n"+body)
		if !strings.HasPrefix(got, "HTTP/1.1 408 ") {
			t.Errorf("the caller's own deadline: %.300s", got)
		}
	}
	for _, http2 := range []bool{false, true} { // the upstream waits in its own way
		up := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
		up.EnableHTTP2 = http2
		up.StartTLS()
		t.Cleanup(up.Close)
		g := newGate(t, up.URL, func(g *gate) { g.Service.Total, g.Settings.Trust = 10*short, trusting(t, certificatePEM(up)) })
		got := g.raw(t, "POST /svc/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc", "")
		info := receive(t, g.attempts, "attempt")
		if !strings.HasPrefix(got, "HTTP/1.1 408 ") || info.Kind != proxy.FailedCallerBody || info.HTTP2 {
			t.Errorf("timeouts.total, HTTP/2 %v: %+v, %.300s", http2, info, got)
		}
	}
}

// A bad request over HTTP/2 ends its stream, not the requests beside it.
func TestBadRequestsLeaveTheConnectionAlone(t *testing.T) {
	f := newFront(t, frontOptions{Sanitize: func(o *proxy.SanitizeOptions) { o.BodyIdleTimeout, o.MaxBody = short, 1000 }})
	dials := 0
	transport := &http.Transport{TLSClientConfig: f.TLS, ForceAttemptHTTP2: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		dials++
		return new(net.Dialer).DialContext(ctx, network, f.Addr)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	stalled := func(first string) io.Reader {
		out, in := io.Pipe()
		go func() { _, _ = io.WriteString(in, first) }() // ends when the transport closes the other end
		return out
	}
	tests := []struct {
		name, method, path string
		body               io.Reader
		status             int
	}{
		{"unknown method", "BREW", "/catalogs/v1/x", nil, 405},
		{"no END_STREAM", "GET", "/catalogs/v1/x", stalled(""), 408},
		{"stalled body", "POST", "/catalogs/v1/x", stalled("abc"), 408},
		{"too large", "POST", "/catalogs/v1/x", stalled(strings.Repeat("a", 2000)), 413},
		{"body where none may be", "GET", "/catalogs/v1/x", io.MultiReader(strings.NewReader("abc")), 400},
		{"dots", "GET", "/catalogs/%2e%2e/x", nil, 400},
		{"fine", "GET", "/catalogs/v1/x", nil, 200},
	}
	for i, tt := range tests {
		reused := false
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused }})
		req, err := http.NewRequestWithContext(ctx, tt.method, "https://"+gatewayHost+tt.path, tt.body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Api-Key", f.Key)
		res, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		_ = res.Body.Close()
		if res.StatusCode != tt.status || reused != (i > 0) || res.ProtoMajor != 2 {
			t.Errorf("%s: %s %s on a connection that was there: %v; want %d", tt.name, res.Proto, res.Status, reused, tt.status)
		}
	}
	if dials != 1 {
		t.Errorf("%d connections", dials)
	}
}
