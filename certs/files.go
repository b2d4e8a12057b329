package certs

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"
)

// Pair names the files of one certificate chain and its key, both PEM.
type Pair struct {
	CertFile string
	KeyFile  string
}

// ErrNoPairs is returned when there is nothing to serve.
var ErrNoPairs = errors.New("no certificate files are configured")

// Files loads the pairs and serves, per handshake, the first whose names fit
// the server name that the client asked for, else the first of all. A pair
// that does not match or has expired is refused.
func Files(pairs []Pair, now func() time.Time) (GetCertificate, error) {
	if len(pairs) == 0 {
		return nil, ErrNoPairs
	}
	loaded := make([]*tls.Certificate, len(pairs))
	for i, p := range pairs {
		c, err := tls.LoadX509KeyPair(p.CertFile, p.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("certificate %s with key %s: %w", p.CertFile, p.KeyFile, err)
		}
		if end := c.Leaf.NotAfter; !now().Before(end) {
			return nil, fmt.Errorf("certificate %s expired on %s", p.CertFile, end.Format(time.DateOnly))
		}
		loaded[i] = &c
	}
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		for _, c := range loaded {
			if hello.SupportsCertificate(c) == nil {
				return c, nil
			}
		}
		return loaded[0], nil
	}, nil
}
