package auth

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"slices"
	"time"

	"iqgateway/internal/exchange"
)

// What a chain may be. crypto/tls has verified its signatures already; these
// bound what such a verification may cost, and how weak a link may be.
const (
	maxChain   = 5 // certificates, the root among them
	minRSABits = 2048
	maxRSABits = 8192
)

// certificates find the caller of a client certificate. It is immutable.
//
// crypto/tls has verified the chain when the connection began. A connection may
// outlive its certificate and the trust in its root, so both are looked at again
// for each request.
type certificates struct {
	roots func() []*x509.Certificate // believed right now; nil = none
	uris  map[string]*exchange.Caller
	dns   map[string]*exchange.Caller // in lower case
}

func newCertificates(callers []Caller, roots func() []*x509.Certificate) *certificates {
	c := &certificates{roots: roots, uris: map[string]*exchange.Caller{}, dns: map[string]*exchange.Caller{}}
	for _, caller := range callers {
		for _, name := range caller.Certificates {
			if name.URI != "" {
				addIdentity(c.uris, name.URI, caller, caller.identity(ProofCertificate, name.URI))
			} else if name.DNS != "" {
				addIdentity(c.dns, lowerASCII(name.DNS), caller, caller.identity(ProofCertificate, name.DNS))
			}
		}
	}
	return c
}

// addIdentity has text name a caller. A text of two callers names neither: nil.
func addIdentity(names map[string]*exchange.Caller, text string, caller Caller, identity *exchange.Caller) {
	if other, taken := names[text]; taken && (other == nil || other.Name != caller.Name) {
		identity = nil
	}
	names[text] = identity
}

// accepts implements [method].
func (c *certificates) accepts(p presented) bool { return p.connection != nil }

// find implements [method].
func (c *certificates) find(ctx context.Context, p presented, now time.Time) (*exchange.Caller, Reason) {
	names, err := namesOf(p.connection.PeerCertificates[0])
	if err != nil {
		return nil, ReasonMalformed
	}
	claim(ctx, names.first())
	if reason := c.trust(p.connection, now); reason != "" {
		return nil, reason
	}
	return c.match(names)
}

// trust reports why a certificate is not believed now; "" = it is. One verified
// chain that is good is enough.
func (c *certificates) trust(connection *tls.ConnectionState, now time.Time) Reason {
	if c.roots == nil || !isClientLeaf(connection.PeerCertificates[0]) {
		return ReasonUnknown
	}
	roots, reason := c.roots(), ReasonUnknown
	for _, chain := range connection.VerifiedChains {
		if !wellMade(chain) || !slices.ContainsFunc(roots, sameCertificate(chain[len(chain)-1])) {
			continue
		}
		if valid(chain, now) {
			return ""
		}
		reason = ReasonExpired
	}
	return reason
}

// match returns the one caller that the names stand for. A certificate with
// several URIs is no SPIFFE id (X509-SVID section 2), and says two things: it is
// nobody's.
func (c *certificates) match(names certificateNames) (*exchange.Caller, Reason) {
	if len(names.uris) > 1 {
		return nil, ReasonUnknown
	}
	var caller *exchange.Caller
	for found := range c.identities(names) {
		if caller != nil && caller.Name != found.Name {
			return nil, ReasonDisagree
		}
		if caller == nil {
			caller = found
		}
	}
	if caller == nil {
		return nil, ReasonUnknown
	}
	return caller, ""
}

// identities are the callers whom the names stand for, URIs first.
func (c *certificates) identities(names certificateNames) func(yield func(*exchange.Caller) bool) {
	return func(yield func(*exchange.Caller) bool) {
		for _, uri := range names.uris {
			if caller := c.uris[uri]; caller != nil && !yield(caller) {
				return
			}
		}
		for _, name := range names.dns {
			if caller := c.dns[lowerASCII(name)]; caller != nil && !yield(caller) {
				return
			}
		}
	}
}

// isClientLeaf reports whether a certificate is meant for a client: it says so,
// and issues no others.
func isClientLeaf(leaf *x509.Certificate) bool {
	return !leaf.IsCA && leaf.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) == 0 &&
		slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
}

// wellMade refuses long chains and weak keys. The root's key is the operator's
// choice.
func wellMade(chain []*x509.Certificate) bool {
	if len(chain) < 2 || len(chain) > maxChain {
		return false
	}
	return !slices.ContainsFunc(chain[:len(chain)-1], func(c *x509.Certificate) bool {
		key, isRSA := c.PublicKey.(*rsa.PublicKey)
		return isRSA && (key.N.BitLen() < minRSABits || key.N.BitLen() > maxRSABits)
	})
}

func valid(chain []*x509.Certificate, now time.Time) bool {
	return !slices.ContainsFunc(chain, func(c *x509.Certificate) bool {
		return now.Before(c.NotBefore) || now.After(c.NotAfter)
	})
}

func sameCertificate(a *x509.Certificate) func(*x509.Certificate) bool {
	return func(b *x509.Certificate) bool { return bytes.Equal(a.Raw, b.Raw) }
}

// renewAhead is how long before its certificate's end a connection is asked to
// end with an answer, so that the caller comes back with the renewed one instead
// of a refusal.
const renewAhead = time.Minute

func renewSoon(w http.ResponseWriter, r *http.Request, now time.Time) {
	if hasCertificate(r) && r.TLS.PeerCertificates[0].NotAfter.Sub(now) < renewAhead {
		w.Header()["Connection"] = []string{"close"}
	}
}
