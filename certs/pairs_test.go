package certs_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"iqgateway/certs"
)

// pemPair is a certificate with its key, both PEM.
type pemPair struct {
	cert, key []byte
	leaf      *x509.Certificate
}

// aPair issues a certificate for names.
func aPair(t testing.TB, l *certs.Local) pemPair {
	t.Helper()
	c, err := l.Certificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	p := pemPair{key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), leaf: c.Leaf}
	for _, der := range c.Certificate {
		p.cert = append(p.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return p
}

// namedPair is a pair of an authority made for the test.
func namedPair(t testing.TB, names ...string) pemPair {
	t.Helper()
	l, err := certs.NewLocal(certs.LocalOptions{Names: names})
	if err != nil {
		t.Fatal(err)
	}
	return aPair(t, l)
}

func write(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// in writes the pair into a folder, as a secret of Kubernetes has it.
func (p pemPair) in(t testing.TB, dir string) certs.Pair {
	t.Helper()
	files := certs.Pair{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")}
	write(t, files.CertFile, p.cert)
	write(t, files.KeyFile, p.key)
	return files
}

// writePair writes a certificate of l and its key as PEM files.
func writePair(t testing.TB, l *certs.Local) certs.Pair {
	t.Helper()
	return aPair(t, l).in(t, t.TempDir())
}

// serial is the serial number of what is served to a client that names nothing.
func serial(t testing.TB, s certs.Source) string {
	t.Helper()
	c, err := s.Certificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf.SerialNumber.String()
}

func (p pemPair) serial() string { return p.leaf.SerialNumber.String() }
