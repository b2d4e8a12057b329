package proxy_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"iqgateway/proxy"
)

// An answer that begins in the lame duck is the last of its connection, however
// old the request is, and however the handler begins it.
func TestDrainerEndsConnectionsWithOldRequests(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter){
		"a header":         func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) },
		"a body":           func(w http.ResponseWriter) { _, _ = io.WriteString(w, "body") },
		"what was flushed": func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
		"nothing":          func(http.ResponseWriter) {},
		"an interim answer first": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusOK)
		},
	} {
		t.Run(name, func(t *testing.T) {
			entered, lame := make(chan struct{}), make(chan struct{})
			d := newDrained(t, proxy.ServerOptions{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				close(entered)
				<-lame
				answer(w)
			})})
			k := keep(t, d.address)
			_, _ = io.WriteString(k, "GET / HTTP/1.1\r\nHost: gw.test\r\n\r\n")
			receive(t, entered, "the request")
			d.LameDuck()
			close(lame)
			res, err := http.ReadResponse(k.in, nil)
			if err == nil && res.StatusCode == http.StatusEarlyHints {
				res, err = http.ReadResponse(k.in, nil)
			}
			if err != nil || !res.Close {
				t.Fatalf("%v, %v; want the connection to end", res, err)
			}
			_ = res.Body.Close()
		})
	}
}

// A connection that never asked for anything holds up no end.
func TestDrainerEndsConnectionsWithoutARequest(t *testing.T) {
	serverTLS, clientTLS, _ := certificates(t)
	plain := func(t *testing.T, address string) net.Conn { c, _ := dialogue(t, address); return c }
	for name, tt := range map[string]struct {
		tls  *tls.Config
		dial func(t *testing.T, address string) net.Conn
	}{
		"plain":                   {nil, plain},
		"before its handshake":    {serverTLS, plain},
		"after it, with HTTP/1.1": {serverTLS, func(t *testing.T, address string) net.Conn { return tls.Client(plain(t, address), clientTLS) }},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDrained(t, proxy.ServerOptions{Handler: echo, TLS: tt.tls})
			c := tt.dial(t, d.address)
			if c, ok := c.(*tls.Conn); ok {
				if err := c.HandshakeContext(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			// net/http would take it for work for five seconds and more.
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			if err := d.Shutdown(ctx); err != nil || ctx.Err() != nil {
				t.Errorf("%v, %v", err, ctx.Err())
			}
			if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil || isTimeout(err) {
				t.Errorf("read %d, %v; want the end", n, err)
			}
		})
	}
}

// What has no whole request when time is up is not cut: nothing began.
func TestDrainerCutsNothingWithoutARequest(t *testing.T) {
	d := newDrained(t, proxy.ServerOptions{Handler: echo})
	k := keep(t, d.address)
	_, _ = io.WriteString(k, post[:30])
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := d.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if _, err := k.in.ReadByte(); err == nil || isTimeout(err) {
		t.Errorf("%v, want the end", err)
	}
}

// A request that waits for a free connection when the end begins is served.
func TestDrainerLiftsTheLimitOfConnections(t *testing.T) {
	entered, release := make(chan struct{}, 2), make(chan struct{})
	d := newLimited(t, proxy.ServerOptions{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-release
		_, _ = io.Copy(w, r.Body)
	})}, func(l net.Listener) net.Listener { return proxy.LimitConnections(l, 1) })
	both := []kept{keep(t, d.address), keep(t, d.address)}
	_, _ = io.WriteString(both[0], post)
	receive(t, entered, "the first request")
	_, _ = io.WriteString(both[1], post)
	down := make(chan struct{})
	go func() {
		defer close(down)
		d.shutdown(t)
	}()
	receive(t, entered, "the second request")
	close(release)
	for i, k := range both {
		if last, err := k.answer(); err != nil || !last {
			t.Errorf("answer %d: last %t, %v", i, last, err)
		}
	}
	receive(t, down, "the end")
}
