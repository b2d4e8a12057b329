package certs

import (
	"crypto/x509"
	"encoding/pem"
	"testing"
)

// somePEM is a certificate for a name, and its key.
func somePEM(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	l, err := NewLocal(LocalOptions{Names: []string{name}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Certificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
