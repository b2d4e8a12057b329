package proxy

import (
	"crypto/tls"
	"fmt"
	"sync/atomic"
	"time"

	"iqgateway/internal/roots"
	"iqgateway/internal/secret"
)

// TrustPEM is what a [Trust] is made of.
type TrustPEM struct {
	// Roots are the only certificate authorities to trust; "" means the system's.
	Roots string
	// Certificate and Key are a client certificate, "" for none.
	Certificate string
	Key         secret.Text
}

// Equal reports whether both hold the same text.
func (p TrustPEM) Equal(o TrustPEM) bool {
	return p.Key.Equal(o.Key) && p.Roots == o.Roots && p.Certificate == o.Certificate
}

// Trust is whom the upstreams of an environment must be vouched for by, and our
// own certificate there. It is replaced as a whole while pools use it: new
// connections take the new one at once, and [Transports.Follow] takes busy
// upstreams off the connections that were made with the old. Safe for
// concurrent use.
type Trust struct{ current atomic.Pointer[trusted] }

// trusted is one state of a Trust; compared by its address.
type trusted struct {
	config  *tls.Config // without a server name
	expires time.Time   // of the client certificate; zero = there is none
}

// NewTrust returns the trust that p describes, or says which part is of no use.
func NewTrust(p TrustPEM) (*Trust, error) {
	t := &Trust{}
	return t, t.Replace(p)
}

// Replace takes over p, or leaves everything as it is.
func (t *Trust) Replace(p TrustPEM) error {
	next, err := p.trusted()
	if err == nil {
		t.current.Store(next)
	}
	return err
}

// Expires returns when our certificate ends, the zero time without one.
func (t *Trust) Expires() time.Time { return t.current.Load().expires }

func (p TrustPEM) trusted() (*trusted, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	made := &trusted{config: c}
	if p.Roots != "" {
		var err error
		if c.RootCAs, err = roots.Pool([]byte(p.Roots)); err != nil {
			return nil, fmt.Errorf("upstream_tls.ca_file: %w", err)
		}
	}
	if p.Certificate == "" && p.Key.IsZero() {
		return made, nil
	}
	pair, err := tls.X509KeyPair([]byte(p.Certificate), []byte(p.Key.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("upstream_tls.cert_file and key_file: %w", err)
	}
	c.Certificates, made.expires = []tls.Certificate{pair}, pair.Leaf.NotAfter
	return made, nil
}
