package proxy

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"strings"
	"time"
)

// egress makes the connections of one transport: to its origin, straight or
// through the egress proxy. It does what [net/http.Transport] could do by
// itself, so that HTTP/1 speaks to an [http1Conn] above TLS.
type egress struct {
	dialer  *dialer // to the origin, or to the proxy in front of it
	origin  *url.URL
	proxy   *url.URL // nil for none
	trust   *Trust
	timeout time.Duration // for all that follows the TCP connection; 0 = none
	keep    keepTime      // of the connections
	open    openConns
}

// dialPlain implements DialContext: connections without TLS.
func (e *egress) dialPlain(ctx context.Context, network, address string) (net.Conn, error) {
	if e.proxy == nil || e.proxiesPlain() {
		raw, err := e.dialer.dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return e.http1(raw, raw), nil
	}
	conn, raw, err := e.tunnel(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return e.http1(conn, raw), nil
}

// dialTLS implements DialTLSContext. With HTTP/2 it returns the *tls.Conn
// itself, by which net/http knows it.
func (e *egress) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	if e.proxiesPlain() { // net/http asks for the proxy
		raw, err := e.dialer.dial(ctx, network, address)
		if err != nil {
			return nil, proxyError(err)
		}
		secure, err := e.handshake(ctx, raw, e.proxy.Hostname(), "http/1.1")
		if err != nil {
			return nil, proxyError(err)
		}
		return e.http1(secure, raw), nil
	}
	conn, raw, err := e.tunnel(ctx, network, address)
	if err != nil {
		return nil, err
	}
	secure, err := e.handshake(ctx, conn, e.origin.Hostname(), "h2", "http/1.1")
	if err != nil {
		return nil, err
	}
	if secure.ConnectionState().NegotiatedProtocol == "h2" {
		return secure, nil
	}
	return e.http1(secure, raw), nil
}

// http1 returns a connection for HTTP/1.
func (e *egress) http1(conn net.Conn, raw *countedConn) *http1Conn {
	c := newHTTP1Conn(conn, raw)
	c.keep = &e.keep
	return c
}

// handshake begins TLS on conn, which it closes when it fails.
func (e *egress) handshake(ctx context.Context, conn net.Conn, name string, protocols ...string) (*tls.Conn, error) {
	config := e.trust.current.Load().config.Clone()
	config.ServerName, config.NextProtos = name, protocols
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	if raw, ok := conn.(*countedConn); ok {
		raw.records = new(recordEnd)
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the handshake's error says more
		return nil, err
	}
	return secure, nil
}

func (e *egress) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if e.timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, e.timeout)
}

// proxiesPlain reports whether the origin is reached by sending requests in
// absolute form to an HTTP proxy, for which no tunnel is needed.
func (e *egress) proxiesPlain() bool {
	return e.proxy != nil && e.origin.Scheme == "http" && strings.HasPrefix(e.proxy.Scheme, "http")
}

// proxyError marks an error as one on the way to or of the egress proxy.
func proxyError(err error) error {
	return &net.OpError{Op: "proxyconnect", Net: "tcp", Err: err}
}
