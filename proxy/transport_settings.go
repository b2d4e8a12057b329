package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"iqgateway/internal/secret"
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
	// RootsPEM are the only certificate authorities to trust; "" means the
	// system's.
	RootsPEM string
	// CertificatePEM and KeyPEM are a client certificate, "" for none.
	CertificatePEM string
	KeyPEM         secret.Text
}

// equal reports whether connections made with t also serve u.
func (t TransportSettings) equal(u TransportSettings) bool {
	sameKey := t.KeyPEM.Equal(u.KeyPEM)
	return sameKey && t.Connect == u.Connect && t.ResponseHeader == u.ResponseHeader && t.WriteIdle == u.WriteIdle &&
		t.ProxyURL == u.ProxyURL && t.Resolver == u.Resolver &&
		t.RootsPEM == u.RootsPEM && t.CertificatePEM == u.CertificatePEM
}

// tlsConfig returns the TLS side of the settings.
func (t TransportSettings) tlsConfig() (*tls.Config, error) {
	c := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ClientSessionCache: tls.NewLRUClientSessionCache(0),
	}
	if t.RootsPEM != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(t.RootsPEM)) {
			return nil, errors.New("upstream_tls.ca_file: no certificate found; it must hold PEM certificates")
		}
	}
	if t.CertificatePEM != "" || !t.KeyPEM.IsZero() {
		pair, err := tls.X509KeyPair([]byte(t.CertificatePEM), []byte(t.KeyPEM.Reveal()))
		if err != nil {
			return nil, fmt.Errorf("upstream_tls.cert_file and key_file: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// writeByteTimeout is when an HTTP/2 connection that takes nothing is given up: a
// ping would wait behind what is already to be written.
func (t TransportSettings) writeByteTimeout() time.Duration {
	if t.WriteIdle == 0 {
		return pingAfter
	}
	return min(t.WriteIdle, pingAfter)
}

// newTransport returns a transport that reaches origin and nothing else.
func (t TransportSettings) newTransport(origin *url.URL) (*http.Transport, error) {
	tlsConfig, err := t.tlsConfig()
	if err != nil {
		return nil, err
	}
	way := &egress{origin: origin, tls: tlsConfig, timeout: t.Connect}
	destination := origin
	if t.ProxyURL != "" {
		if way.proxy, err = url.Parse(t.ProxyURL); err != nil || way.proxy.Host == "" {
			return nil, errors.New("proxy_url: not a URL with a host; write http://proxy.example.com:3128")
		}
		destination = way.proxy
	}
	way.dialer = newDialer(destination, t.Resolver, t.Connect)
	way.dialer.stall = t.WriteIdle
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
			SendPingTimeout:           pingAfter,
			PingTimeout:               pingTimeout,
			WriteByteTimeout:          t.writeByteTimeout(),
			MaxReceiveBufferPerStream: streamBuffer,
		},
	}
	if way.proxiesPlain() {
		h.Proxy = http.ProxyURL(way.proxy) // makes requests of the absolute form; tunnels are our own
	}
	return h, nil
}
