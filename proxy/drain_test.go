package proxy_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/proxy"
)

// drained is a server whose end is tested; it counts what it executes.
type drained struct {
	*proxy.Drainer
	address  string
	executed atomic.Int64
	ended    chan error
}

func newDrained(t *testing.T, o proxy.ServerOptions) *drained {
	t.Helper()
	return newLimited(t, o, func(l net.Listener) net.Listener { return l })
}

// newLimited is newDrained with a limit for its listener.
func newLimited(t *testing.T, o proxy.ServerOptions, limit func(net.Listener) net.Listener) *drained {
	t.Helper()
	d := &drained{ended: make(chan error, 1)}
	inner := o.Handler
	o.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.executed.Add(1)
		inner.ServeHTTP(w, r)
	})
	o.Logger = slog.New(slog.DiscardHandler)
	server := proxy.NewServer(o)
	d.Drainer = proxy.NewDrainer(server)
	l := listen(t)
	d.address = l.Addr().String()
	go func() { d.ended <- d.Serve(limit(l)) }()
	t.Cleanup(func() { _ = server.Close() })
	return d
}

// shutdown wants an end without a cut request within patience.
func (d *drained) shutdown(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	if err := d.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := receive(t, d.ended, "the end of Serve"); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// echo reads the request and answers with its body.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })

// post is one write of a caller, as it stands on the wire.
const post = "POST /write HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 4\r\n\r\nbody"

// kept is a kept-alive connection of a client that repeats nothing.
type kept struct {
	net.Conn
	in *bufio.Reader
}

func keep(t *testing.T, address string) kept {
	t.Helper()
	c, in := dialogue(t, address)
	return kept{c, in}
}

// exchange makes one write and reports whether the connection ends with it.
func (k kept) exchange() (last bool, err error) {
	if _, err := io.WriteString(k, post); err != nil {
		return false, err
	}
	return k.answer()
}

func (k kept) answer() (last bool, err error) {
	res, err := http.ReadResponse(k.in, nil)
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || string(text) != "body" || res.StatusCode != http.StatusOK {
		return false, fmt.Errorf("%s %q %w", res.Status, text, err)
	}
	return res.Close, nil
}

// Clients that write without a pause, each on a connection of its own, lose
// nothing when the server ends, and nothing is executed without an answer.
func TestDrainerLosesNoWrite(t *testing.T) {
	d := newDrained(t, proxy.ServerOptions{Handler: echo})
	var answered atomic.Int64
	var balancer sync.RWMutex
	moved := false // no new connections: the balancer has seen the readiness
	dial := func() (net.Conn, error) {
		balancer.RLock()
		defer balancer.RUnlock()
		if moved {
			return nil, nil
		}
		return net.Dial("tcp", d.address)
	}
	var clients sync.WaitGroup
	for range 50 {
		clients.Go(func() {
			for {
				c, err := dial()
				if err != nil || c == nil {
					if err != nil {
						t.Error(err)
					}
					return
				}
				k := kept{c, bufio.NewReader(c)}
				for last := false; !last && err == nil; {
					if last, err = k.exchange(); err != nil {
						t.Errorf("lost: %v", err)
						break
					}
					answered.Add(1)
				}
				_ = c.Close()
			}
		})
	}
	for answered.Load() < 500 {
		tick(t)
	}
	d.LameDuck()
	for before := answered.Load(); answered.Load() < before+200; { // new connections are served too
		tick(t)
	}
	balancer.Lock()
	moved = true
	balancer.Unlock()
	d.shutdown(t)
	clients.Wait()
	if a, e := answered.Load(), d.executed.Load(); a != e || a < 700 {
		t.Errorf("%d answered, %d executed", a, e)
	}
}

// tick lets a moment pass.
func tick(t *testing.T) {
	t.Helper()
	select {
	case <-time.After(time.Millisecond):
	case <-t.Context().Done():
		t.Fatal("the test ends")
	}
}

// What was sent before the listener closed is served: on a connection that was
// silent until then, and where a part of the header has come, on a new one too.
func TestDrainerServesWhatWasSent(t *testing.T) {
	d := newDrained(t, proxy.ServerOptions{Handler: echo})
	var silent, half, fresh []kept
	for range 40 {
		k := keep(t, d.address)
		if last, err := k.exchange(); err != nil || last {
			t.Fatal(last, err)
		}
		silent = append(silent, k)
		half = append(half, keep(t, d.address))
		fresh = append(fresh, keep(t, d.address))
	}
	for _, k := range half {
		if last, err := k.exchange(); err != nil || last {
			t.Fatal(last, err)
		}
		_, _ = io.WriteString(k, post[:30])
	}
	for _, k := range fresh {
		_, _ = io.WriteString(k, post[:1])
	}
	for _, k := range silent {
		_, _ = io.WriteString(k, post)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.shutdown(t)
	}()
	for {
		c, err := net.Dial("tcp", d.address)
		if err != nil {
			break // the listener is closed
		}
		_ = c.Close()
		tick(t)
	}
	for _, k := range half {
		_, _ = io.WriteString(k, post[30:])
	}
	for _, k := range fresh {
		_, _ = io.WriteString(k, post[1:])
	}
	for name, group := range map[string][]kept{"silent": silent, "half": half, "fresh": fresh} {
		for i, k := range group {
			if last, err := k.answer(); err != nil || !last && name != "silent" { // those may have been served before
				t.Fatalf("%s %d: last %v, %v", name, i, last, err)
			}
		}
	}
	<-ended
}

// Silent connections stay open through the lame duck, and end after it.
func TestDrainerKeepsSilentConnectionsUntilTheEnd(t *testing.T) {
	d := newDrained(t, proxy.ServerOptions{Handler: echo})
	silent, used := keep(t, d.address), keep(t, d.address)
	for _, k := range []kept{silent, used} {
		if last, err := k.exchange(); err != nil || last {
			t.Fatal(last, err)
		}
	}
	d.LameDuck()
	if last, err := used.exchange(); err != nil || !last {
		t.Errorf("in the lame duck: last %v, %v", last, err)
	}
	if err := silent.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if b, err := silent.in.ReadByte(); err == nil || !isTimeout(err) {
		t.Errorf("the silent connection read %q, %v", b, err)
	}
	begun := time.Now()
	d.shutdown(t)
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("ended after %s", took)
	}
	if err := silent.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := silent.in.ReadByte(); err != io.EOF {
		t.Errorf("after the end: %v, want EOF", err)
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// What outlasts the drain is cut: its caller sees no complete answer, its
// handler learns why, and the end waits for the handler.
func TestDrainerCutsWhatOutlastsIt(t *testing.T) {
	running, cause := make(chan struct{}), make(chan error, 1)
	d := newDrained(t, proxy.ServerOptions{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "begun")
		_ = http.NewResponseController(w).Flush()
		close(running)
		<-r.Context().Done()
		cause <- context.Cause(r.Context())
		panic(http.ErrAbortHandler)
	})})
	k := keep(t, d.address)
	_, _ = io.WriteString(k, post)
	<-running
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := d.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	select {
	case err := <-cause:
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the gateway ended") {
			t.Errorf("the cause is %v", err)
		}
	default:
		t.Error("the end did not wait for the handler")
	}
	if _, err := k.answer(); err == nil {
		t.Error("the cut answer looks complete")
	}
}
