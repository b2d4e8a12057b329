package proxy

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"time"
)

const (
	// idleConnTimeout lies below the idle timeout of common upstreams (IIS and
	// Azure close after 120 s and more), so that it is us who end a connection
	// and no request meets one that is just dying.
	idleConnTimeout = 50 * time.Second
	// maxResponseHeader bounds an answer's header in bytes; the largest header
	// captured from the provider has 2 KiB.
	maxResponseHeader = 256 << 10
	// pingAfter and pingTimeout find a dead HTTP/2 connection in 20 s instead
	// of the quarter of an hour that TCP alone takes.
	pingAfter   = 15 * time.Second
	pingTimeout = 5 * time.Second
	// streamBuffer is what one answer over HTTP/2 may have in memory when its
	// caller reads slowly.
	streamBuffer = 1 << 20
	idlePerHost  = 64
)

// TransportSettings is how connections to one upstream are made. Pools with
// equal settings are shared by generations.
type TransportSettings struct {
	// Connect bounds the TCP connection and, again, what follows on it before
	// HTTP (the egress proxy's tunnel, the TLS handshake); 0 means no bound but
	// the system's.
	Connect time.Duration
	// ResponseHeader bounds the wait for an answer's header once the request
	// is written; 0 means no bound.
	ResponseHeader time.Duration
	// WriteIdle is how long an upstream may take nothing of what is written; 0
	// means that one which stops reading holds the request until its deadline.
	WriteIdle time.Duration
	// ProxyURL is the company's egress proxy, "" for none. The environment's
	// HTTP_PROXY is never looked at: it would receive every token.
	ProxyURL string
	// Resolver is the host:port of a DNS server to ask instead of the system's.
	Resolver string
	// AllowPlaintext permits an http:// origin that is not this machine by its
	// own spelling. Danger: tokens cross the network readable.
	AllowPlaintext bool
	// Trust is whom to believe, and our certificate; nil means the system's
	// authorities and no certificate.
	Trust *Trust

	probeAfter, probeTimeout time.Duration // of HTTP/2 connections, for tests; 0 = pingAfter and pingTimeout
}

// check refuses what no connection may be made with.
func (t TransportSettings) check(origin *url.URL) error {
	if origin.Scheme == "http" && !t.AllowPlaintext && !isLoopbackHost(origin.Hostname()) {
		return errors.New("plain HTTP beyond loopback would show the token to the network: use https, or set allow_plaintext of the environment")
	}
	return nil
}

// writeByteTimeout is when an HTTP/2 connection that takes nothing is given up: a
// ping would wait behind what is already to be written.
func (t TransportSettings) writeByteTimeout() time.Duration {
	after := cmp.Or(t.probeAfter, pingAfter)
	if t.WriteIdle == 0 {
		return after
	}
	return min(t.WriteIdle, after)
}

// newCarrier returns a transport that reaches origin and nothing else.
func (t TransportSettings) newCarrier(origin *url.URL) (*carrier, error) {
	if t.Trust == nil {
		system, err := NewTrust(TrustPEM{})
		if err != nil {
			return nil, err
		}
		t.Trust = system
	}
	way := &egress{origin: origin, trust: t.Trust, timeout: t.Connect}
	destination := origin
	if t.ProxyURL != "" {
		proxied, err := url.Parse(t.ProxyURL)
		if err != nil || proxied.Host == "" {
			return nil, errors.New("proxy_url: not a URL with a host; write http://proxy.example.com:3128")
		}
		way.proxy, destination = proxied, proxied
	}
	way.dialer = newDialer(destination, t.Resolver, t.Connect)
	way.dialer.stall, way.dialer.open = t.WriteIdle, &way.open
	way.dialer.policy.only = origin.Scheme == "http" && !t.AllowPlaintext
	h := &http.Transport{
		DialContext:            guarded(way.dialPlain),
		DialTLSContext:         guarded(way.dialTLS),
		ResponseHeaderTimeout:  t.ResponseHeader,
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        idleConnTimeout,
		MaxIdleConnsPerHost:    idlePerHost,
		MaxResponseHeaderBytes: maxResponseHeader,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // answers pass as they come
		HTTP2: &http.HTTP2Config{
			SendPingTimeout:           cmp.Or(t.probeAfter, pingAfter),
			PingTimeout:               cmp.Or(t.probeTimeout, pingTimeout),
			WriteByteTimeout:          t.writeByteTimeout(),
			MaxReceiveBufferPerStream: streamBuffer,
		},
	}
	if way.proxiesPlain() {
		h.Proxy = http.ProxyURL(way.proxy) // makes requests of the absolute form; tunnels are our own
	}
	return &carrier{Transport: h, way: way, made: t.Trust.current.Load()}, nil
}
