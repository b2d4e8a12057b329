package proxy

import (
	"bufio"
	"context"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"golang.org/x/net/proxy"
)

// maxTunnelAnswer bounds the header of an egress proxy's answer in bytes.
const maxTunnelAnswer = 64 << 10

// tunnel connects to the origin's address: straight, or through the egress
// proxy. raw is the connection below any TLS with the proxy.
func (e *egress) tunnel(ctx context.Context, network, address string) (conn net.Conn, raw *countedConn, err error) {
	if e.proxy == nil {
		raw, err = e.dialer.dial(ctx, network, address)
		return raw, raw, err
	}
	if address != hostPort(e.origin) {
		return nil, nil, notConfigured(address, hostPort(e.origin))
	}
	if raw, err = e.dialer.dial(ctx, network, e.dialer.destination); err != nil {
		return nil, nil, proxyError(err)
	}
	conn = raw
	if e.proxy.Scheme == "https" {
		if conn, err = e.handshake(ctx, raw, e.proxy.Hostname(), "http/1.1"); err != nil {
			return nil, nil, proxyError(err)
		}
	}
	ask := connectHTTP
	if e.proxy.Scheme != "https" && e.proxy.Scheme != "http" {
		ask = connectSOCKS
	}
	if err := e.bind(ctx, conn, func(ctx context.Context) error { return ask(ctx, conn, e.proxy, address) }); err != nil {
		return nil, nil, proxyError(err)
	}
	return conn, raw, nil
}

// bind lets talk with the proxy for as long as the connection may take, and
// closes conn when it fails.
func (e *egress) bind(ctx context.Context, conn net.Conn, talk func(context.Context) error) error {
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(passed()) })
	err := talk(ctx)
	if !stop() {
		err = context.Cause(ctx) // and conn is of no use any more
	}
	if err != nil {
		_ = conn.Close() // err says more
	}
	return err
}

// connectHTTP asks an HTTP proxy for a tunnel (RFC 9110 section 9.3.6).
func connectHTTP(_ context.Context, conn net.Conn, via *url.URL, address string) error {
	req := &http.Request{
		Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address,
		Header: http.Header{"User-Agent": {""}},
	}
	if user := via.User; user != nil {
		password, _ := user.Password()
		login := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		req.Header["Proxy-Authorization"] = []string{"Basic " + login}
	}
	if err := req.Write(conn); err != nil {
		return err
	}
	in := bufio.NewReader(io.LimitReader(conn, maxTunnelAnswer))
	res, err := http.ReadResponse(in, req) //nolint:bodyclose // what follows on the connection is the tunnel
	switch {
	case err != nil:
		return err
	case res.StatusCode != http.StatusOK:
		return egressError("the egress proxy answered CONNECT with status " + strconv.Itoa(res.StatusCode))
	case in.Buffered() > 0:
		return egressError("the egress proxy sent bytes before the tunnel was used")
	}
	return nil
}

// connectSOCKS asks a SOCKS5 proxy, which resolves the name (RFC 1928).
func connectSOCKS(ctx context.Context, conn net.Conn, via *url.URL, address string) error {
	var login *proxy.Auth
	if user := via.User; user != nil {
		password, _ := user.Password()
		login = &proxy.Auth{User: user.Username(), Password: password}
	}
	d, err := proxy.SOCKS5("tcp", via.Host, login, nil)
	if err != nil {
		return err
	}
	over, ok := d.(interface {
		DialWithConn(ctx context.Context, c net.Conn, network, address string) (net.Addr, error)
	})
	if !ok {
		return egressError("SOCKS5 over a connection that stands is not supported by the library")
	}
	if _, err = over.DialWithConn(ctx, conn, "tcp", address); err != nil && !isTimeout(err) {
		return egressError("the egress proxy refused the login or the tunnel (SOCKS5)")
	}
	return err
}
