package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"iqgateway/auth"
	"iqgateway/certs"
	"iqgateway/internal/iqsim"
)

// tlsRig is a gateway that serves certificates from files.
type tlsRig struct {
	addresses
	ca    string // folder of the authority that issues them
	roots *x509.CertPool
	key   string // of the caller storefront
	logs  *lockedBuffer
}

// newTLSRig starts a gateway whose server.tls is given, in YAML; and its
// admin.tls, "" = none; CERT and KEY stand for the files of the mount.
func newTLSRig(t *testing.T, ca, serverTLS, adminTLS string, m *mount) *tlsRig {
	t.Helper()
	_, _, sim := newSim(t, iqsim.Options{})
	r := &tlsRig{ca: ca, logs: &lockedBuffer{}}
	var digest string
	r.key, digest = auth.NewKey()
	dir := t.TempDir()
	text := strings.Replace(rigConfig, "{mode: self_signed}", serverTLS, 1)
	if adminTLS != "" {
		text = strings.Replace(text, `admin: {`, `admin: {tls: `+adminTLS+`, `, 1)
	}
	text = strings.NewReplacer("SIM", sim, "DIGEST", digest, "DIR", dir, "ACCESS", `{"*": write}`,
		"CERT", filepath.Join(m.dir, "tls.crt"), "KEY", filepath.Join(m.dir, "tls.key")).Replace(text)
	file := filepath.Join(dir, "gateway.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r.addresses = startProgram(t, r.logs, rigEnviron(), "run", "-c", file)
	r.roots = readRoots(t, filepath.Join(ca, "ca.crt"))
	return r
}

// issued is a fresh certificate of an authority that is kept in a folder, and
// its serial number.
func issued(t testing.TB, ca string) (files map[string]string, serial string) {
	t.Helper()
	l, err := certs.NewLocal(certs.LocalOptions{Dir: ca, Names: []string{"localhost", "127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Certificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"tls.crt": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})),
		"tls.key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
	}, c.Leaf.SerialNumber.String()
}

// call makes one request over a connection of its own, and returns the serial
// number of what it was served.
func (r *tlsRig) call(ctx context.Context, url string) (serial string, status int, err error) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: r.roots}, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", 0, err
	}
	req.Header.Set("X-Api-Key", r.key)
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return "", 0, err
	}
	defer resp.Body.Close()
	return resp.TLS.PeerCertificates[0].SerialNumber.String(), resp.StatusCode, nil
}

func (r *tlsRig) serves(t *testing.T, url, serial string) bool {
	t.Helper()
	got, _, err := r.call(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return got == serial
}

// admin returns a text of the admin server, in the clear.
func (r *tlsRig) admin(t *testing.T, path string) (string, int) {
	t.Helper()
	a := (&rig{client: &http.Client{}}).get(t, "http://"+r.Admin+path)
	return a.text, a.StatusCode
}
