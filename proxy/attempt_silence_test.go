package proxy_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"iqgateway/internal/exchange"
	"iqgateway/proxy"
)

// keptConnection is what the stages above ask an error.
type keptConnection interface {
	error
	OnKeptConnection() bool
}

// silent answers the first kept requests of each connection, executes the next
// one, and ends the connection without an answer.
func silent(t *testing.T, kept int, end func(net.Conn)) (up *rawUpstream, asked *atomic.Int32) {
	t.Helper()
	asked = new(atomic.Int32)
	up = newRawUpstream(t, func(_ int, c net.Conn, r *bufio.Reader) {
		for range kept {
			if readHead(r) == "" {
				return
			}
			_, _ = io.WriteString(c, plainAnswer)
		}
		if readHead(r) != "" {
			asked.Add(1)
			end(c)
		}
	})
	return up, asked
}

// net/http would send a read again whose connection dies before an answer. It is
// the retry stage that does, within its budget, and it learns what it needs.
func TestREL25ReadsAreSentOnce(t *testing.T) {
	ends := map[string]func(net.Conn){
		"closed": func(net.Conn) {},
		"reset":  func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) },
	}
	for name, end := range ends {
		for _, kept := range []int{0, 1, 3} {
			for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
				t.Run(fmt.Sprintf("%s %s after %d", method, name, kept), func(t *testing.T) {
					expectSentOnce(t, method, kept, end)
				})
			}
		}
	}
}

func expectSentOnce(t *testing.T, method string, kept int, end func(net.Conn)) {
	t.Helper()
	up, asked := silent(t, kept, end)
	failed := errors.New("it was answered")
	g := newGate(t, up.URL, func(g *gate) {
		g.Write = func(*http.Request) bool { return false }
		g.Spy = func(_ context.Context, err error) { failed = err } // before the exchange has finished
	})
	for range kept {
		g.do(t, http.MethodGet, "/svc/warm", nil, nil)
		g.exchangeOfLast(t)
	}
	res, _ := g.do(t, method, "/svc/x", nil, nil)
	info := receive(t, g.attempts, "attempt")
	if res.StatusCode != http.StatusBadGateway || info.Kind != proxy.FailedReset || info.Resends != 0 {
		t.Errorf("%s, attempt %+v", res.Status, info)
	}
	if ex := g.finished(t); asked.Load() != 1 || ex.Attempts != 1 {
		t.Errorf("the upstream was asked %d times, %d attempts are booked", asked.Load(), ex.Attempts)
	}
	if lost, ok := errors.AsType[keptConnection](failed); !ok || lost.OnKeptConnection() != (kept > 0) {
		t.Errorf("after %d answers on the connection: %v", kept, failed)
	}
}

// A request that cannot be sent again by net/http is the same on the wire: one
// without content has no framing of any.
func TestReadsHaveNoFraming(t *testing.T) {
	heads := make(chan string, 1)
	up := newRawUpstream(t, func(_ int, c net.Conn, r *bufio.Reader) {
		for {
			head := readHead(r)
			if head == "" {
				return
			}
			heads <- head
			if left := r.Buffered(); left > 0 {
				t.Errorf("%d bytes follow %q", left, head)
			}
			_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
		}
	})
	g := newGate(t, up.URL, func(g *gate) {
		g.Write = func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/Import/") }
	})
	for range 3 { // on a new connection, and on a kept one
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
			for _, path := range []string{"/svc/x", "/svc/Import/x"} {
				g.do(t, method, path, nil, nil)
				lines := strings.Split(strings.ToLower(receive(t, heads, "request")), "\r\n")
				if slices.ContainsFunc(lines, func(l string) bool {
					return strings.HasPrefix(l, "content-length:") || strings.HasPrefix(l, "transfer-encoding:")
				}) {
					t.Errorf("%s %s: %q", method, path, lines)
				}
			}
		}
	}
}

// A ping that is lost with an old connection says nothing of the upstream; one
// that is lost with a new one does.
func TestPingOnDeadConnections(t *testing.T) {
	for _, kept := range []int{0, 1, 2} {
		up, asked := silent(t, kept, func(net.Conn) {})
		service, err := proxy.NewService(proxy.ServiceOptions{Pool: openPool(t, up.URL, proxy.TransportSettings{})})
		if err != nil {
			t.Fatal(err)
		}
		attempt := proxy.NewAttempt(proxy.AttemptOptions{Services: proxy.Services{{Environment: "sandbox", Service: "crm"}: service}})
		ping := func() error {
			ex := &exchange.Exchange{}
			ex.SetTarget(exchange.Target{Environment: "sandbox", Service: "crm", Path: "/ping", Upstream: parseURL(up.URL)})
			_, err := proxy.Ping(t.Context(), attempt, ex)
			return err
		}
		for range kept {
			if err := ping(); err != nil {
				t.Fatal(err)
			}
		}
		err = ping()
		if (err == nil) != (kept > 0) || asked.Load() != 1 {
			t.Errorf("after %d answers: %v, %d were lost", kept, err, asked.Load())
		}
	}
}
