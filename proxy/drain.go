package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"iqgateway/internal/steady"
)

const (
	// lastCall bounds how long an end waits until nobody connects any more, and
	// then how long connections may take that are about to send a request, as far
	// as anyone can tell.
	lastCall = time.Second
	// lastLook is how long nobody must have connected before the listener is
	// closed, as the kernel resets what waits to be accepted, and how long a
	// silent kept-alive connection is still read before it is closed.
	lastLook = 100 * time.Millisecond
	// firstLook is how old a connection without a first byte may become before
	// lastLook alone counts: that byte may be on the way.
	firstLook = 500 * time.Millisecond
	// cutWait bounds how long handlers whose requests were cut may take to end,
	// so that each leaves its access line.
	cutWait = time.Second
	// drainPoll is how often an end looks whether it is reached.
	drainPoll = 5 * time.Millisecond
)

// errCut is why requests are cut that outlast the drain.
var errCut = errors.New("the gateway ended before the answer was complete")

// cutError is errCut as the cause of a context: whatever stops for a caller that
// left stops for it too.
type cutError struct{}

// Error implements error.
func (cutError) Error() string { return errCut.Error() }

// Is makes it a [context.Canceled] as well.
func (cutError) Is(target error) bool { return target == context.Canceled }

// Unwrap returns errCut.
func (cutError) Unwrap() error { return errCut }

// Drainer serves a listener and ends it without losing a request.
//
// [http.Server.Shutdown] alone loses some: it closes kept-alive connections at
// once, and drops a request whose header it reads at that moment, on a new
// connection too. A Drainer has two steps instead. From LameDuck on everything
// is served, and every connection is asked to end: HTTP/1.1 by "Connection:
// close" on its next answer, HTTP/2 by a GOAWAY that still admits all streams
// (RFC 9113 section 6.8). Clients move elsewhere at their own pace. Shutdown
// then closes the listener once nobody connects any more, and the connections
// that stayed silent (each read once more before), and waits for the rest.
//
// What remains is inherent: a request that is sent on an HTTP/1.1 connection
// that was silent through the whole lame duck and [lastLook], while its end is
// on the way. It is never executed.
type Drainer struct {
	// HandshakeFailed is told of every TLS handshake that fails, with the other
	// end; nil = nobody is. It is set before Serve, and must be safe for
	// concurrent use.
	HandshakeFailed func(peer net.Addr, err error)

	server   *http.Server
	lame     atomic.Bool
	ending   atomic.Bool
	requests atomic.Int64
	cut      context.CancelCauseFunc

	began    time.Time    // what instants count from: the wall clock may be set
	accepted atomic.Int64 // when the latest connection was, in ns
	knocking atomic.Bool

	mu       sync.Mutex
	listener net.Listener
	served   chan struct{} // closed when Serve has accepted its last connection
	conns    map[*drainConn]struct{}
	arrived  map[string]bool // remote addresses of what was accepted while knocking
}

// NewDrainer takes over a server that does not serve yet: it wraps its Handler
// and sets its ConnState and BaseContext. A server with a TLSConfig speaks TLS,
// and HTTP/2 if its Protocols say so.
func NewDrainer(server *http.Server) *Drainer {
	base, cut := context.WithCancelCause(context.Background())
	d := &Drainer{server: server, cut: cut, began: time.Now(), conns: map[*drainConn]struct{}{}, arrived: map[string]bool{}}
	server.Handler = d.handler(server.Handler)
	server.ConnState = d.connState
	server.BaseContext = func(net.Listener) context.Context { return base }
	if c := server.TLSConfig; c != nil && server.Protocols.HTTP2() && !slices.Contains(c.NextProtos, protoHTTP2) {
		server.TLSConfig = c.Clone()
		server.TLSConfig.NextProtos = []string{protoHTTP2, "http/1.1"}
	}
	return d
}

// Serve serves l until Shutdown, and returns nil then. It must be called once.
func (d *Drainer) Serve(l net.Listener) error {
	d.mu.Lock()
	d.listener, d.served = l, make(chan struct{})
	d.mu.Unlock()
	defer close(d.served)
	err := d.server.Serve(&drainListener{Listener: l, drainer: d, tls: d.server.TLSConfig})
	if d.ending.Load() || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// LameDuck asks every connection to end, and goes on serving old and new ones.
// It returns at once.
func (d *Drainer) LameDuck() {
	if !d.lame.CompareAndSwap(false, true) {
		return
	}
	for _, c := range d.open() {
		if c.secure != nil { // a client that reads nothing would hold up the others
			go steady.Try(c.secure.goAway, d.panicked)
		}
	}
}

// panicked logs as net/http does for a request.
func (d *Drainer) panicked(value any, stack []byte) {
	if d.server.ErrorLog != nil {
		d.server.ErrorLog.Printf("panic in an announcement of the end: %v\n%s", value, stack)
	}
}

// Shutdown closes the listener and returns when every request has its answer.
// When ctx ends first, those that run are cut, and its error is returned, if
// there are any.
func (d *Drainer) Shutdown(ctx context.Context) error {
	d.LameDuck()
	d.closeListener(ctx)
	d.retire(ctx)
	err := d.server.Shutdown(ctx)
	if err == nil && d.poll(ctx, d.quiet) { // it does not wait for the refusal of a CONNECT
		return nil
	}
	cut := d.working()
	d.cut(cutError{})
	// A handler that waits for its caller's bytes ends with the connection.
	_ = d.server.Close()
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), cutWait)
	defer cancel()
	d.poll(bounded, d.quiet)
	if !cut {
		return nil
	}
	return context.Cause(ctx)
}

func (d *Drainer) quiet() bool { return d.requests.Load() == 0 }

// working reports whether a request is under way, or the rest of its answer.
func (d *Drainer) working() bool {
	return !d.quiet() || slices.ContainsFunc(d.open(), (*drainConn).working)
}

// closeListener closes it once nobody connects any more.
func (d *Drainer) closeListener(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastCall)
	defer cancel()
	d.mu.Lock()
	listener, served := d.listener, d.served
	d.mu.Unlock()
	if limited, ok := listener.(interface{ liftLimit() }); ok {
		limited.liftLimit()
	}
	d.poll(ctx, func() bool { return time.Since(d.began)-time.Duration(d.accepted.Load()) >= lastLook })
	if listener == nil { // Serve was not called
		d.ending.Store(true)
		return
	}
	d.knock(ctx, listener.Addr())
	d.ending.Store(true)
	_ = listener.Close() // may be closed already
	select {
	case <-served: // a connection that was accepted in this moment is known now
	case <-ctx.Done():
	}
}

// knock connects to the listener itself: when that is accepted, so is every
// connection that the kernel held before it, which closing would reset.
func (d *Drainer) knock(ctx context.Context, own net.Addr) {
	d.knocking.Store(true)
	c, err := (&net.Dialer{}).DialContext(ctx, own.Network(), own.String())
	if err != nil {
		return
	}
	defer c.Close()
	d.poll(ctx, func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.arrived[c.LocalAddr().String()]
	})
}

func (d *Drainer) arrives(c net.Conn) {
	d.accepted.Store(int64(time.Since(d.began)))
	if d.knocking.Load() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.arrived[c.RemoteAddr().String()] = true
	}
}

// retire closes silent connections, and waits for what others are about to say:
// net/http drops what it reads once it shuts down.
func (d *Drainer) retire(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastCall)
	defer cancel()
	d.poll(ctx, func() bool {
		settled := true
		for _, c := range d.open() {
			settled = c.retire(d.panicked) && settled
		}
		return settled
	})
}

// poll waits until done says so, or reports false when ctx ends.
func (d *Drainer) poll(ctx context.Context, done func() bool) bool {
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// handler counts requests, and has HTTP/1 connections end with their answer.
func (d *Drainer) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.requests.Add(1)
		defer d.requests.Add(-1)
		if r.ProtoMajor > 1 {
			next.ServeHTTP(w, r)
			return
		}
		answer := &lastAnswer{ResponseWriter: w, lame: &d.lame}
		next.ServeHTTP(answer, r)
		answer.begin() // net/http answers where the handler did not
	})
}

// connState is the server's hook.
func (d *Drainer) connState(c net.Conn, state http.ConnState) {
	conn := drainConnOf(c)
	if conn == nil {
		return
	}
	conn.setState(state)
	switch state {
	case http.StateNew:
		d.mu.Lock()
		d.conns[conn] = struct{}{}
		d.mu.Unlock()
	case http.StateClosed, http.StateHijacked:
		d.mu.Lock()
		delete(d.conns, conn)
		d.mu.Unlock()
	default: // neither begins nor ends
	}
}

// open returns the connections that are open.
func (d *Drainer) open() []*drainConn {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]*drainConn, 0, len(d.conns))
	for c := range d.conns {
		all = append(all, c)
	}
	return all
}

// drainListener accepts connections that a Drainer can end.
type drainListener struct {
	net.Listener
	drainer *Drainer
	tls     *tls.Config // nil = plain
}

// Accept implements [net.Listener]. The handshake is left to the goroutine that
// serves the connection.
func (l *drainListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.drainer.arrives(c)
	conn := &drainConn{Conn: c, began: time.Now()}
	if l.tls == nil {
		return conn, nil
	}
	conn.secure = &secureConn{Conn: tls.Server(conn, l.tls), drain: conn, lame: &l.drainer.lame, failed: l.drainer.HandshakeFailed}
	return conn.secure, nil
}
