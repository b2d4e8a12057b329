package proxy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/secret"
	"iqgateway/proxy"
)

// authority is a certificate authority of a test.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	PEM         string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{key: newKey(t)}
	a.certificate = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of " + t.Name()},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der := sign(t, a.certificate, a.certificate, a.key, a.key)
	a.PEM = certificateText(der)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func certificateText(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// issue signs a certificate for this machine, as a server and as a client. change
// may alter it before.
func (a *authority) issue(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "us"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(template)
	}
	key := newKey(t)
	return tls.Certificate{Certificate: [][]byte{sign(t, template, a.certificate, key, a.key)}, PrivateKey: key}
}

// pair returns a certificate as the PEM files that hold it.
func pair(t *testing.T, c tls.Certificate) proxy.TrustPEM {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return proxy.TrustPEM{
		Certificate: certificateText(c.Certificate[0]),
		Key:         secret.New(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))),
	}
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AppendCertsFromPEM([]byte(a.PEM))
	return p
}

// tlsUpstream answers 204 to whoever gets through its handshake.
func tlsUpstream(t *testing.T, c *tls.Config) *httptest.Server {
	t.Helper()
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	up.Config.ErrorLog = log.New(io.Discard, "", 0)
	up.TLS, up.Listener = c, lingering{up.Listener}
	up.StartTLS()
	t.Cleanup(up.Close)
	return up
}

// lingering accepts connections that hear the other side out before they close.
// One that closes over unread bytes sends a reset, which may overtake the alert.
type lingering struct{ net.Listener }

func (l lingering) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		return lingerer{tcp}, nil
	}
	return conn, err
}

type lingerer struct{ *net.TCPConn }

func (l lingerer) Close() error {
	_ = l.CloseWrite()
	_ = l.SetReadDeadline(time.Now().Add(patience))
	_, _ = io.Copy(io.Discard, l.TCPConn)
	return l.TCPConn.Close()
}

// An upstream is believed only with a certificate of a trusted authority, for its
// name, in its time, and over TLS 1.2 or 1.3.
func TestUpstreamsAreVerified(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	good := ours.issue(t, nil)
	only := func(c tls.Certificate) func(*tls.Config) {
		return func(s *tls.Config) { s.Certificates = []tls.Certificate{c} }
	}
	changed := func(change func(*x509.Certificate)) func(*tls.Config) { return only(ours.issue(t, change)) }
	versions := func(least, most uint16) func(*tls.Config) {
		return func(s *tls.Config) { s.MinVersion, s.MaxVersion = least, most }
	}
	ciphers := func(id uint16) func(*tls.Config) {
		return func(s *tls.Config) { s.MaxVersion, s.CipherSuites = tls.VersionTLS12, []uint16{id} }
	}
	const bad, unable = "tls_certificate_error", "tls_"
	for name, tt := range map[string]struct {
		server func(*tls.Config)
		error  string // "" = the upstream is believed
	}{
		"good":          {func(*tls.Config) {}, ""},
		"TLS 1.2":       {versions(tls.VersionTLS12, tls.VersionTLS12), ""},
		"TLS 1.3":       {versions(tls.VersionTLS13, tls.VersionTLS13), ""},
		"TLS 1.1":       {versions(tls.VersionTLS10, tls.VersionTLS11), unable},
		"RC4":           {ciphers(tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA), unable},
		"other CA":      {only(other.issue(t, nil)), bad},
		"expired":       {changed(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), bad},
		"not yet valid": {changed(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }), bad},
		"wrong name": {changed(func(c *x509.Certificate) {
			c.IPAddresses, c.DNSNames = nil, []string{"crm.iqmetrix.net"}
		}), bad},
		"name in the common name alone": {changed(func(c *x509.Certificate) {
			c.IPAddresses, c.DNSNames, c.Subject.CommonName = nil, nil, "127.0.0.1"
		}), bad},
		"for clients": {changed(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), bad},
		"self-signed": {only(selfSigned(t)), bad},
		"no TLS at all behind it": {func(s *tls.Config) {
			s.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, io.ErrUnexpectedEOF }
		}, unable},
	} {
		t.Run(name, func(t *testing.T) {
			c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{good}}
			tt.server(c)
			wantVerdict(t, tlsUpstream(t, c).URL, trusting(t, ours.PEM), tt.error)
		})
	}
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	own := newAuthority(t)
	return tls.Certificate{Certificate: [][]byte{sign(t, own.certificate, own.certificate, own.key, own.key)}, PrivateKey: own.key}
}

// wantVerdict asks origin once, which is to answer 204, or not to be believed.
func wantVerdict(t *testing.T, origin string, trust *proxy.Trust, verdict string) {
	t.Helper()
	g := newGate(t, origin, func(g *gate) { g.Settings.Trust = trust })
	res, body := g.do(t, http.MethodPost, "/svc/x", strings.NewReader("a"), nil)
	status := res.Header.Get("Proxy-Status")
	if verdict == "" {
		if res.StatusCode != http.StatusNoContent {
			t.Errorf("%d, Proxy-Status %q\n%s", res.StatusCode, status, body)
		}
		return
	}
	if res.StatusCode != http.StatusBadGateway || !strings.Contains(status, "error="+verdict) ||
		!strings.Contains(body, "upstream-tls") || !strings.Contains(body, `"outcome":"not_executed"`) {
		t.Errorf("%d, Proxy-Status %q\n%s", res.StatusCode, status, body)
	}
	if strings.Contains(body, "CAN_AT") || strings.Contains(body, "127.0.0.1") {
		t.Errorf("the answer tells %s", body)
	}
	if a := receive(t, g.attempts, "attempt"); a.Kind != proxy.FailedTLS {
		t.Errorf("the attempt failed by %q", a.Kind)
	}
}

// An upstream that asks for a client certificate gets that of its environment.
func TestClientCertificates(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	const refused = "tls_alert_received"
	for name, tt := range map[string]struct {
		certificate func() proxy.TrustPEM
		error       string
	}{
		"ours":          {func() proxy.TrustPEM { return pair(t, theirs.issue(t, nil)) }, ""},
		"of another CA": {func() proxy.TrustPEM { return pair(t, ours.issue(t, nil)) }, refused},
		"none":          {func() proxy.TrustPEM { return proxy.TrustPEM{} }, refused},
		"expired":       {func() proxy.TrustPEM { return pair(t, theirs.issue(t, expired)) }, refused},
	} {
		t.Run(name, func(t *testing.T) {
			p := tt.certificate()
			p.Roots = ours.PEM
			trust, err := proxy.NewTrust(p)
			if err != nil {
				t.Fatal(err)
			}
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				wantVerdict(t, tlsUpstream(t, &tls.Config{
					MinVersion: version, MaxVersion: version, Certificates: []tls.Certificate{ours.issue(t, nil)},
					ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: theirs.pool(),
				}).URL, trust, tt.error)
			}
		})
	}
}

func expired(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }

// What is of no use is told by its setting, and leaves what was in use.
func TestTrustThatCannotWork(t *testing.T) {
	ours := newAuthority(t)
	good, another := pair(t, ours.issue(t, nil)), pair(t, ours.issue(t, nil))
	for name, tt := range map[string]struct {
		pem  proxy.TrustPEM
		want string
	}{
		"roots":       {proxy.TrustPEM{Roots: "nonsense"}, "ca_file"},
		"half roots":  {proxy.TrustPEM{Roots: ours.PEM + ours.PEM[:200]}, "ca_file: 2 certificates begin in it, and 1 are whole"},
		"certificate": {proxy.TrustPEM{Certificate: "x", Key: secret.New("CAN_PW")}, "cert_file"},
		"key alone":   {proxy.TrustPEM{Key: good.Key}, "cert_file"},
		"no key":      {proxy.TrustPEM{Certificate: good.Certificate}, "key_file"},
		"not a pair":  {proxy.TrustPEM{Certificate: good.Certificate, Key: another.Key}, "does not match"},
		"half a file": {proxy.TrustPEM{Certificate: good.Certificate[:200], Key: good.Key}, "cert_file"},
		"swapped":     {proxy.TrustPEM{Certificate: good.Key.Reveal(), Key: secret.New(good.Certificate)}, "cert_file"},
		"one root is": {proxy.TrustPEM{Roots: ours.PEM, Certificate: "x"}, "cert_file"},
	} {
		if _, err := proxy.NewTrust(tt.pem); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "CAN_PW") {
			t.Errorf("%s: %v", name, err)
		}
		trust, err := proxy.NewTrust(good)
		if err != nil {
			t.Fatal(err)
		}
		before := trust.Expires()
		if trust.Replace(tt.pem) == nil || before.IsZero() || trust.Expires() != before {
			t.Errorf("%s: was taken over", name)
		}
	}
}
