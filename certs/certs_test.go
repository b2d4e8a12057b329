package certs_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
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

// What a crash has left of a key in the making is removed, unless another process
// may be making it just now.
func TestLocalRemovesWhatACrashHasLeft(t *testing.T) {
	dir := t.TempDir()
	old, young := filepath.Join(dir, "ca.key.1.tmp"), filepath.Join(dir, "ca.key.2.tmp")
	for _, name := range []string{old, young} {
		if err := os.WriteFile(name, []byte("half a key"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	yesterday := time.Now().Add(-24 * time.Hour)
	if err := os.Chtimes(old, yesterday, yesterday); err != nil {
		t.Fatal(err)
	}
	local(t, certs.LocalOptions{Dir: dir})
	if left, err := filepath.Glob(filepath.Join(dir, "*.tmp")); err != nil || len(left) != 1 || left[0] != young {
		t.Errorf("%q, %v", left, err)
	}
}

// Processes that start together in an empty folder make one authority.
func TestLocalFirstStartsTogether(t *testing.T) {
	for range 20 {
		dir := filepath.Join(t.TempDir(), "ca")
		var all [4]*certs.Local
		var starts sync.WaitGroup
		for i := range all {
			starts.Go(func() {
				var err error
				if all[i], err = certs.NewLocal(certs.LocalOptions{Dir: dir, Names: []string{"gw.test"}}); err != nil {
					t.Error(err)
				}
			})
		}
		starts.Wait()
		if t.Failed() {
			return
		}
		kept, err := certs.LocalCA(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range all {
			if !bytes.Equal(l.CAPEM(), kept) {
				t.Fatal("another authority than the one that is kept")
			}
			if _, err := handshake(t, l.Certificate, &tls.Config{RootCAs: trust(t, l), ServerName: "gw.test"}); err != nil {
				t.Error(err)
			}
		}
		if _, err := tls.LoadX509KeyPair(filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key")); err != nil {
			t.Error(err)
		}
		if names, err := filepath.Glob(filepath.Join(dir, "*")); len(names) != 2 {
			t.Errorf("it holds %v, %v", names, err)
		}
	}
}

// A start that was killed between the key and the certificate costs nothing.
func TestLocalGoesOnFromItsKey(t *testing.T) {
	dir := t.TempDir()
	local(t, certs.LocalOptions{Dir: dir})
	key, err := os.ReadFile(filepath.Join(dir, "ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "ca.crt")); err != nil {
		t.Fatal(err)
	}
	again := local(t, certs.LocalOptions{Dir: dir, Names: []string{"gw.test"}})
	if after, err := os.ReadFile(filepath.Join(dir, "ca.key")); err != nil || !bytes.Equal(after, key) {
		t.Errorf("another key, %v", err)
	}
	if _, err := handshake(t, again.Certificate, &tls.Config{RootCAs: trust(t, again), ServerName: "gw.test"}); err != nil {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(dir, "ca.crt")); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"} {
		if err := os.WriteFile(filepath.Join(dir, "ca.key"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := certs.NewLocal(certs.LocalOptions{Dir: dir}); err == nil || !strings.Contains(err.Error(), "ca.key") {
			t.Errorf("a key of %q: %v", text, err)
		}
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
