package proxy

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// keepAlive probes quiet connections often enough to notice a dead peer or a
// forgotten NAT entry before a caller does.
const keepAlive = 15 * time.Second

// dialer connects to one configured destination and to nothing else, whatever
// a request, a redirect or the DNS says.
type dialer struct {
	destination string // host:port
	host        string // of destination
	dialer      net.Dialer
	policy      addressPolicy
	stall       time.Duration // of each write to the connection; 0 = no bound
	open        *openConns    // where connections are kept while they stand; nil = nowhere
}

// newDialer returns a dialer for the host of target (the upstream, or the
// egress proxy in front of it). resolver, when set, is a DNS server's
// host:port that is asked instead of the system's.
func newDialer(target *url.URL, resolver string, timeout time.Duration) *dialer {
	d := &dialer{destination: hostPort(target), host: target.Hostname()}
	d.policy.loopback = isLoopbackHost(target.Hostname())
	d.dialer = net.Dialer{
		Timeout:         timeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: keepAlive, Interval: keepAlive},
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			return checkDialled(address, d.policy)
		},
	}
	if resolver != "" {
		d.dialer.Resolver = newResolver(resolver, timeout)
	}
	return d
}

// dial connects, if address is the destination.
func (d *dialer) dial(ctx context.Context, network, address string) (*countedConn, error) {
	if address != d.destination {
		return nil, notConfigured(address, d.destination)
	}
	conn, err := d.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	counted := newCountedConn(conn, d.stall)
	if d.open != nil {
		d.open.add(counted)
	}
	return counted, nil
}

func notConfigured(address, configured string) error {
	return &prohibitedError{address + " is not the configured " + configured}
}

// checkDialled judges the very address that is about to be connected to, after
// name resolution, so that no second lookup can give another answer.
func checkDialled(address string, policy addressPolicy) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return &prohibitedError{strconv.Quote(address) + " is not an address"}
	}
	return checkAddress(ap.Addr(), policy)
}

// newResolver asks one DNS server, for gateways whose own DNS points the
// provider's names back at the gateway.
func newResolver(server string, timeout time.Duration) *net.Resolver {
	d := net.Dialer{Timeout: timeout}
	return &net.Resolver{
		PreferGo: true, // the C resolver would ignore Dial
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return d.DialContext(ctx, network, server)
		},
	}
}

// isLoopbackHost reports whether a configured host means this machine by its
// own spelling: localhost, a name below it (RFC 6761), or a literal address.
func isLoopbackHost(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// hostPort returns the host:port that net/http dials for u.
func hostPort(u *url.URL) string {
	return net.JoinHostPort(u.Hostname(), portOf(u))
}
