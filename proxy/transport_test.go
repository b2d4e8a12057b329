package proxy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"iqgateway/internal/secret"
	"iqgateway/proxy"
)

func TestPoolsOutliveGenerations(t *testing.T) {
	transports := proxy.NewTransports()
	key := proxy.PoolKey{Environment: "sandbox", Origin: "https://crmdemo.iqmetrix.net"}
	settings := proxy.TransportSettings{Connect: time.Second, KeyPEM: secret.New("")}
	open := func(key proxy.PoolKey, s proxy.TransportSettings) *proxy.Pool {
		t.Helper()
		p, err := transports.Open(key, s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first := open(key, settings)
	if open(key, settings) != first {
		t.Error("a reload without a change made a new pool")
	}
	slower := settings
	slower.Connect = time.Minute
	changed := open(key, slower)
	if changed == first {
		t.Error("a changed setting was ignored")
	}
	if open(key, settings) != first {
		t.Error("the old generation lost its pool while the new one was made")
	}
	if open(proxy.PoolKey{Environment: "rc", Origin: key.Origin}, settings) == first {
		t.Error("two environments share a pool")
	}
	for range 3 {
		first.Close()
	}
	if open(key, settings) == first {
		t.Error("a closed pool came back")
	}
	if open(key, slower) != changed {
		t.Error("closing one pool lost another")
	}
}

func TestCredentialsHaveTheirOwnConnections(t *testing.T) {
	pool := openPool(t, "https://crm.example.test", proxy.TransportSettings{})
	retail, err := pool.For("retail")
	if err != nil {
		t.Fatal(err)
	}
	again, _ := pool.For("retail")
	other, _ := pool.For("wholesale")
	anonymous, _ := pool.For("")
	if retail != again || retail == other || retail == anonymous || other == anonymous {
		t.Error("connections are shared between credentials, or not within one")
	}
}

func TestSettingsThatCannotWork(t *testing.T) {
	tests := map[string]struct {
		origin   string
		settings proxy.TransportSettings
		want     string
	}{
		"no scheme":   {"crm.iqmetrix.net", proxy.TransportSettings{}, "is no http or https URL"},
		"ftp":         {"ftp://crm.iqmetrix.net", proxy.TransportSettings{}, "is no http or https URL"},
		"roots":       {"https://a.test", proxy.TransportSettings{RootsPEM: "nonsense"}, "ca_file"},
		"certificate": {"https://a.test", proxy.TransportSettings{CertificatePEM: "x", KeyPEM: secret.New("CAN_PW")}, "cert_file"},
		"key alone":   {"https://a.test", proxy.TransportSettings{KeyPEM: secret.New("CAN_PW")}, "cert_file"},
		"proxy":       {"https://a.test", proxy.TransportSettings{ProxyURL: "user:CAN_PW@proxy"}, "proxy_url"},
	}
	for name, tt := range tests {
		_, err := proxy.NewTransports().Open(proxy.PoolKey{Environment: "e", Origin: tt.origin}, tt.settings)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "CAN_PW") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// keyPair returns a self-signed client certificate.
func keyPair(t *testing.T) (certificate string, key secret.Text, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	key = secret.New(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(certificate))
	return certificate, key, roots
}

func TestTLSToTheUpstream(t *testing.T) {
	certificate, key, clients := keyPair(t)
	tests := map[string]struct {
		server func(*tls.Config)
		client func(*proxy.TransportSettings)
		status int
		error  string
	}{
		"trusted":            {nil, nil, 204, ""},
		"unknown authority":  {nil, func(s *proxy.TransportSettings) { s.RootsPEM = certificate }, 502, "tls_certificate_error"},
		"TLS 1.1":            {func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, nil, 502, "tls_"},
		"client certificate": {func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, clients }, func(s *proxy.TransportSettings) { s.CertificatePEM, s.KeyPEM = certificate, key }, 204, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusNoContent)
			}))
			up.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
			if tt.server != nil {
				tt.server(up.TLS)
			}
			up.StartTLS()
			t.Cleanup(up.Close)
			g := newGate(t, up.URL, func(g *gate) {
				g.Settings.RootsPEM = certificatePEM(up)
				if tt.client != nil {
					tt.client(&g.Settings)
				}
			})
			res, body := g.do(t, http.MethodPost, "/svc/x", nil, nil)
			if res.StatusCode != tt.status || !strings.Contains(res.Header.Get("Proxy-Status"), tt.error) {
				t.Errorf("%d, Proxy-Status %q", res.StatusCode, res.Header.Get("Proxy-Status"))
			}
			if tt.status == http.StatusBadGateway && !strings.Contains(body, `"outcome":"not_executed"`) {
				t.Errorf("a failed handshake gave %s", body)
			}
		})
	}
}

func TestUnreachableUpstreams(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for origin, want := range map[string]string{
		closed.URL:                                       "connection_refused",
		"http://crm.invalid":                             "dns_error",
		"http://169.254.169.254":                         "destination_ip_prohibited",
		"http://[::ffff:169.254.169.254]":                "destination_ip_prohibited",
		"http://0.0.0.0:" + portOf(closed.URL):           "destination_ip_prohibited",
		"http://[64:ff9b::7f00:1]:" + portOf(closed.URL): "destination_ip_prohibited",
	} {
		g := newGate(t, origin, nil)
		res, body := g.do(t, http.MethodPost, "/svc/x", strings.NewReader("a"), nil)
		if res.StatusCode != http.StatusBadGateway || !strings.HasPrefix(res.Header.Get("Proxy-Status"), "iqgateway; error="+want+";") ||
			!strings.Contains(body, `"outcome":"not_executed"`) {
			t.Errorf("%s: %d, Proxy-Status %q\n%s", origin, res.StatusCode, res.Header.Get("Proxy-Status"), body)
		}
	}
}

func portOf(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

// Every way of ending a request gives everything back.
func TestNothingLeaks(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("requests", func(t *testing.T) {
		up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/abort" {
				panic(http.ErrAbortHandler)
			}
			_, _ = w.Write([]byte("ok"))
		}))
		t.Cleanup(up.Close)
		g := newGate(t, up.URL, func(g *gate) { g.Service.BodyIdle, g.Service.Total = patience, patience })
		for _, path := range []string{"/ok", "/abort", "/ok", "//x"} {
			g.do(t, http.MethodGet, "/svc"+path, nil, nil)
			g.do(t, http.MethodPost, "/svc"+path, strings.NewReader("a"), nil)
		}
	})
}
