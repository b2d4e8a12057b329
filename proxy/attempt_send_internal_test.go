package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

// roundTrips is a transport that behaves as scripted, once per try.
type roundTrips struct {
	tries  int
	script func(try int, r *http.Request, trace *httptrace.ClientTrace) (*http.Response, error)
}

func (f *roundTrips) RoundTrip(r *http.Request) (*http.Response, error) {
	f.tries++
	return f.script(f.tries, r, httptrace.ContextClientTrace(r.Context()))
}

// newRun returns an attempt over transport with a body of "abc".
func newRun(t *testing.T, transport http.RoundTripper) (*run, *closeCounter) {
	t.Helper()
	body := &closeCounter{Reader: strings.NewReader("abc")}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://crm.example.test/x", body)
	if err != nil {
		t.Fatal(err)
	}
	n := &run{
		now: time.Now, exchange: &exchange.Exchange{Target: &exchange.Target{Write: true}},
		request: r, transport: transport, service: &Service{},
	}
	n.ctx, n.cancel = context.WithCancelCause(t.Context())
	n.trace.cancel = n.cancel
	n.out = n.outgoing(n.ctx, r, nil)
	return n, body
}

type closeCounter struct {
	io.Reader
	closed int
}

func (c *closeCounter) Close() error {
	c.closed++
	return nil
}

var errDead = errors.New("dead connection")

func TestDeadPooledConnectionsAreSteppedOver(t *testing.T) {
	transport := &roundTrips{script: func(try int, r *http.Request, trace *httptrace.ClientTrace) (*http.Response, error) {
		trace.GotConn(httptrace.GotConnInfo{Conn: &countedConn{}, Reused: try < 4})
		if try < 4 {
			_ = r.Body.Close() // as every failing round trip does
			return nil, errDead
		}
		body, err := io.ReadAll(r.Body)
		if string(body) != "abc" || err != nil {
			t.Errorf("the last try read %q, %v", body, err)
		}
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, r.Body.Close()
	}}
	n, body := newRun(t, transport)
	if _, err := n.send(); err != nil {
		t.Fatal(err)
	}
	if transport.tries != 4 || body.closed != 1 {
		t.Errorf("%d tries, body closed %d times", transport.tries, body.closed)
	}
}

func TestNothingIsSentTwice(t *testing.T) {
	tests := map[string]func(r *http.Request, trace *httptrace.ClientTrace, conn *countedConn){
		"bytes were written": func(_ *http.Request, trace *httptrace.ClientTrace, conn *countedConn) {
			trace.GotConn(httptrace.GotConnInfo{Conn: conn, Reused: true})
			conn.written.Add(1)
		},
		"the header was written on a connection of someone else": func(_ *http.Request, trace *httptrace.ClientTrace, _ *countedConn) {
			trace.GotConn(httptrace.GotConnInfo{Reused: true})
			trace.WroteHeaders()
		},
		"the body was read": func(r *http.Request, trace *httptrace.ClientTrace, conn *countedConn) {
			trace.GotConn(httptrace.GotConnInfo{Conn: conn, Reused: true})
			_, _ = r.Body.Read(make([]byte, 1))
		},
		"the connection was fresh": func(_ *http.Request, trace *httptrace.ClientTrace, conn *countedConn) {
			trace.GotConn(httptrace.GotConnInfo{Conn: conn})
		},
		"there was no connection": func(*http.Request, *httptrace.ClientTrace, *countedConn) {},
	}
	for name, deed := range tests {
		transport := &roundTrips{script: func(_ int, r *http.Request, trace *httptrace.ClientTrace) (*http.Response, error) {
			deed(r, trace, &countedConn{})
			_ = r.Body.Close()
			return nil, errDead
		}}
		n, body := newRun(t, transport)
		if _, err := n.send(); !errors.Is(err, errDead) {
			t.Errorf("%s: %v", name, err)
		}
		if transport.tries != 1 || body.closed != 1 {
			t.Errorf("%s: %d tries, body closed %d times", name, transport.tries, body.closed)
		}
	}
}

func TestStaleConnectionsEnd(t *testing.T) {
	transport := &roundTrips{script: func(_ int, _ *http.Request, trace *httptrace.ClientTrace) (*http.Response, error) {
		trace.GotConn(httptrace.GotConnInfo{Conn: &countedConn{}, Reused: true})
		return nil, errDead
	}}
	n, _ := newRun(t, transport)
	_, err := n.send()
	if !errors.Is(err, errDead) || transport.tries != maxStale+1 {
		t.Errorf("%d tries, %v", transport.tries, err)
	}
	var p *exchange.Problem
	if !errors.As(n.fail(err), &p) || p.Outcome != exchange.NotExecuted {
		t.Errorf("problem %+v", p)
	}
}

// A transport may still hold the body of a try that is over.
func TestRevokedBodyReadsNothing(t *testing.T) {
	inner := &closeCounter{Reader: strings.NewReader("abc")}
	old := &sentBody{body: inner}
	if !old.Revoke() {
		t.Fatal("an untouched body could not be taken back")
	}
	if n, err := old.Read(make([]byte, 3)); n != 0 || !errors.Is(err, errRevoked) {
		t.Errorf("a revoked body gave %d bytes, %v", n, err)
	}
	if _ = old.Close(); inner.closed != 0 {
		t.Error("a revoked body closed that of its successor")
	}
	next := &sentBody{body: inner}
	_, _ = next.Read(make([]byte, 1))
	if next.Revoke() {
		t.Error("a body that was read from was taken back")
	}
}

func TestCountedConnCountsBelowTLS(t *testing.T) {
	client, server := net.Pipe()
	defer func() { _ = server.Close() }()
	go func() { _, _ = io.Copy(io.Discard, server) }()
	c := &countedConn{Conn: client}
	defer func() { _ = c.Close() }()
	if _, err := c.Write([]byte("four")); err != nil || c.written.Load() != 4 {
		t.Errorf("counted %d, %v", c.written.Load(), err)
	}
	if countedUnder(c) != c || countedUnder(client) != nil {
		t.Error("the counter was not found, or one was found where there is none")
	}
}
