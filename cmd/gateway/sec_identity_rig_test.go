package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

const meshID = "spiffe://corp.example/ns/shop/sa/storefront"

// clientCA issues the certificates of callers.
type clientCA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // the authority's certificate, PEM
}

func newClientCA(t *testing.T) *clientCA {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "callers"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
	}
	ca := &clientCA{key: key, file: filepath.Join(t.TempDir(), "clients.crt")}
	ca.cert = ca.sign(t, template, template, &key.PublicKey)
	ca.write(t, ca.file)
	return ca
}

func (ca *clientCA) sign(t *testing.T, template, parent *x509.Certificate, public crypto.PublicKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func (ca *clientCA) write(t *testing.T, file string) {
	t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw})
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// issue returns a certificate for a URI.
func (ca *clientCA) issue(t *testing.T, uri string, edit func(*x509.Certificate)) *tls.Certificate {
	t.Helper()
	name, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		URIs: []*url.URL{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if edit != nil {
		edit(template)
	}
	cert := ca.sign(t, template, ca.cert, &key.PublicKey)
	return &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

// with returns r with a client that presents a certificate, and no key, over
// connections of its own.
func (r *rig) with(t *testing.T, cert *tls.Certificate, http2 bool) *rig {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(http2)
	config := &tls.Config{RootCAs: r.roots}
	if cert != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	transport := &http.Transport{TLSClientConfig: config, Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	other := *r
	other.client = &http.Client{Transport: transport, Timeout: time.Minute}
	return &other
}

func withoutKey(req *http.Request) { req.Header.Del("X-Api-Key") }

func bearer(token string) func(*http.Request) {
	return func(req *http.Request) {
		withoutKey(req)
		req.Header.Set("Authorization", "Bearer "+token)
	}
}

// cluster is an API server that vouches for service accounts.
type cluster struct {
	*httptest.Server
	key    *rsa.PrivateKey
	caFile string
	asked  atomic.Int64
	down   atomic.Bool
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{key: key, caFile: filepath.Join(t.TempDir(), "cluster.crt")}
	c.Server = httptest.NewTLSServer(http.HandlerFunc(c.keys))
	t.Cleanup(c.Close)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw})
	if err := os.WriteFile(c.caFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *cluster) keys(w http.ResponseWriter, _ *http.Request) {
	c.asked.Add(1)
	if c.down.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	encode := base64.RawURLEncoding.EncodeToString
	_, _ = fmt.Fprintf(w, `{"keys":[{"use":"sig","kty":"RSA","kid":"k1","alg":"RS256","n":%q,"e":%q}]}`,
		encode(c.key.N.Bytes()), encode(big.NewInt(int64(c.key.E)).Bytes()))
}

// token is a projected one of a service account.
func (c *cluster) token(t *testing.T, account string, expires time.Time) string {
	t.Helper()
	claims, err := json.Marshal(map[string]any{
		"iss": c.URL, "sub": account, "aud": []string{"iqgateway"}, "exp": expires.Unix(), "iat": time.Now().Unix(), "nbf": time.Now().Unix(),
		"kubernetes.io": map[string]any{"namespace": "shop", "serviceaccount": map[string]string{"name": "storefront"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"RS256","kid":"k1"}`)) + "." + encode(claims)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, c.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + encode(signature)
}
