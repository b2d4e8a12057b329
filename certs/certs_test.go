package certs_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"iqgateway/certs"
)

func local(t *testing.T, o certs.LocalOptions) *certs.Local {
	t.Helper()
	l, err := certs.NewLocal(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// handshake connects over real TLS and returns the state that the client saw.
func handshake(t *testing.T, get certs.GetCertificate, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	go func() { _ = tls.Server(a, certs.TLSConfig(get)).HandshakeContext(t.Context()) }()
	c := tls.Client(b, client)
	err := c.HandshakeContext(t.Context())
	return c.ConnectionState(), err
}

func trust(t *testing.T, l *certs.Local) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(l.CAPEM()) {
		t.Fatal("the authority's PEM is unreadable")
	}
	return pool
}

func TestLocalServesItsNames(t *testing.T) {
	l := local(t, certs.LocalOptions{Names: []string{"gw.test", "127.0.0.1"}})
	for _, name := range []string{"gw.test", "127.0.0.1"} {
		state, err := handshake(t, l.Certificate, &tls.Config{RootCAs: trust(t, l), ServerName: name, NextProtos: []string{"h2"}})
		if err != nil || state.NegotiatedProtocol != "h2" {
			t.Errorf("%s: %v, protocol %q", name, err, state.NegotiatedProtocol)
		}
	}
	if _, err := handshake(t, l.Certificate, &tls.Config{RootCAs: trust(t, l), ServerName: "other.test"}); err == nil {
		t.Error("a name that is not its own was accepted")
	}
}

func TestOnlyModernTLS(t *testing.T) {
	l := local(t, certs.LocalOptions{Names: []string{"gw.test"}})
	client := func(edit func(*tls.Config)) *tls.Config {
		c := &tls.Config{RootCAs: trust(t, l), ServerName: "gw.test"}
		edit(c)
		return c
	}
	if _, err := handshake(t, l.Certificate, client(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 })); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
	if _, err := handshake(t, l.Certificate, client(func(c *tls.Config) {
		c.MaxVersion = tls.VersionTLS12
		c.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
	})); err == nil {
		t.Error("a CBC suite was accepted")
	}
}

func TestLocalAuthorityStaysInItsFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	first := local(t, certs.LocalOptions{Dir: dir, Names: []string{"gw.test"}})
	second := local(t, certs.LocalOptions{Dir: dir, Names: []string{"gw.test"}})
	if !bytes.Equal(first.CAPEM(), second.CAPEM()) {
		t.Error("a second start made another authority")
	}
	info, err := os.Stat(filepath.Join(dir, "ca.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.key"), []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := certs.NewLocal(certs.LocalOptions{Dir: dir}); err == nil || !strings.Contains(err.Error(), "ca.key") {
		t.Errorf("a torn key gives %v", err)
	}
}

func TestLocalRenewsBeforeTheEnd(t *testing.T) {
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	l := local(t, certs.LocalOptions{Names: []string{"gw.test"}, Now: func() time.Time { return now }})
	serial := func() string {
		c, err := l.Certificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf.SerialNumber.String()
	}
	first := serial()
	now = now.Add(59 * 24 * time.Hour)
	if serial() != first {
		t.Error("renewed with more than a third of the lifetime left")
	}
	now = now.Add(2 * 24 * time.Hour)
	if serial() == first {
		t.Error("not renewed with a third of the lifetime left")
	}
}

// writePair writes a certificate of l and its key as PEM files.
func writePair(t *testing.T, l *certs.Local) certs.Pair {
	t.Helper()
	c, err := l.Certificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := certs.Pair{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")}
	for name, block := range map[string]*pem.Block{
		p.CertFile: {Type: "CERTIFICATE", Bytes: c.Certificate[0]},
		p.KeyFile:  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func TestFilesChoosesByServerName(t *testing.T) {
	gateway := local(t, certs.LocalOptions{Names: []string{"gw.test"}})
	native := local(t, certs.LocalOptions{Names: []string{"crm.iqmetrix.net"}})
	get, err := certs.Files([]certs.Pair{writePair(t, gateway), writePair(t, native)}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for name, authority := range map[string]*certs.Local{"gw.test": gateway, "crm.iqmetrix.net": native} {
		if _, err := handshake(t, get, &tls.Config{RootCAs: trust(t, authority), ServerName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFilesRefusesWhatCannotServe(t *testing.T) {
	a, b := writePair(t, local(t, certs.LocalOptions{})), writePair(t, local(t, certs.LocalOptions{}))
	later := func() time.Time { return time.Now().Add(91 * 24 * time.Hour) }
	tests := []struct {
		name  string
		pairs []certs.Pair
		now   func() time.Time
		want  string
	}{
		{"none", nil, time.Now, "no certificate files"},
		{"mismatched", []certs.Pair{{CertFile: a.CertFile, KeyFile: b.KeyFile}}, time.Now, a.CertFile},
		{"missing", []certs.Pair{{CertFile: "/nowhere/tls.crt", KeyFile: a.KeyFile}}, time.Now, "/nowhere/tls.crt"},
		{"expired", []certs.Pair{a}, later, "expired on"},
	}
	for _, tt := range tests {
		if _, err := certs.Files(tt.pairs, tt.now); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
