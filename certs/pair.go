package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"iqgateway/internal/roots"
)

// Pair names the files of one certificate chain and its key, both PEM.
type Pair struct {
	// Name is what events, metrics and readiness call it; "" = CertFile.
	Name     string
	CertFile string
	KeyFile  string
}

// pair is one certificate that is followed.
type pair struct {
	Pair
	files   followed
	doubt   doubt
	serving *tls.Certificate
	digest  [sha256.Size]byte // of what serves
	ended   bool              // it was told that this has
}

func newPair(p Pair) *pair {
	if p.Name == "" {
		p.Name = p.CertFile
	}
	return &pair{Pair: p, files: follow(p.CertFile, p.KeyFile)}
}

// fresh returns what the files hold now, if that may take the place of what
// serves; nil = it serves already.
func (p *pair) fresh(now time.Time) (*tls.Certificate, [sha256.Size]byte, error) {
	var none [sha256.Size]byte
	data, err := p.files.read()
	if err != nil {
		return nil, none, err
	}
	hash := sha256.New()
	hash.Write(data[0])
	hash.Write([]byte{0})
	hash.Write(data[1])
	digest := [sha256.Size]byte(hash.Sum(nil))
	if p.serving != nil && digest == p.digest {
		return nil, digest, nil
	}
	c, err := tls.X509KeyPair(data[0], data[1])
	if err == nil {
		err = roots.Whole(data[0], len(c.Certificate)) // half a chain would fit its key
	}
	if err != nil {
		return nil, none, fmt.Errorf("certificate %s with key %s: %w", p.CertFile, p.KeyFile, err)
	}
	if p.serving == nil { // at the start there is nothing better, and its clock may be behind
		return &c, digest, nil
	}
	if !now.Before(c.Leaf.NotAfter) {
		return nil, none, p.expired(c.Leaf)
	}
	if begin := c.Leaf.NotBefore; now.Before(begin) {
		return nil, none, fmt.Errorf("certificate %s is not valid before %s", p.CertFile, begin.Format(time.RFC3339))
	}
	return &c, digest, nil
}

func (p *pair) expired(leaf *x509.Certificate) error {
	return fmt.Errorf("certificate %s expired on %s", p.CertFile, leaf.NotAfter.Format(time.DateOnly))
}

// valid reports whether what serves has not ended.
func (p *pair) valid(now time.Time) bool { return now.Before(p.serving.Leaf.NotAfter) }

// ending is told once, when what serves ends.
func (p *pair) ending(now time.Time) (Event, bool) {
	before := p.ended
	p.ended = !p.valid(now)
	if !p.ended || before {
		return Event{}, false
	}
	return p.event(Expired, p.expired(p.serving.Leaf)), true
}

func (p *pair) event(o Outcome, err error) Event {
	e := Event{Certificate: p.Name, Source: "files", Outcome: o, Err: err}
	if p.serving != nil {
		e.Names, e.NotAfter = namesOf(p.serving.Leaf), p.serving.Leaf.NotAfter
	}
	return e
}
