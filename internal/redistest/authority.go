package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// An authority signed one certificate for 127.0.0.1 and localhost, which all
// servers of a topology share.
type authority struct {
	roots                              *x509.CertPool
	rootFile, certificateFile, keyFile string
}

func newAuthority(dir string) (*authority, error) {
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	root := template(1, "redistest authority")
	root.IsCA, root.KeyUsage = true, x509.KeyUsageCertSign
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	if err != nil {
		return nil, err
	}

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf := template(2, "redistest server")
	leaf.IPAddresses, leaf.DNSNames = []net.IP{net.IPv4(127, 0, 0, 1)}, []string{"localhost"}
	// Servers are clients of each other too.
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), rootKey)
	if err != nil {
		return nil, err
	}
	return writeAuthority(dir, rootDER, leafDER, key)
}

func writeAuthority(dir string, root, leaf []byte, key *ecdsa.PrivateKey) (*authority, error) {
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	a := &authority{
		roots:           x509.NewCertPool(),
		rootFile:        filepath.Join(dir, "ca.crt"),
		certificateFile: filepath.Join(dir, "redis.crt"),
		keyFile:         filepath.Join(dir, "redis.key"),
	}
	parsed, err := x509.ParseCertificate(root)
	if err != nil {
		return nil, err
	}
	a.roots.AddCert(parsed)
	for _, file := range []struct {
		path, kind string
		der        []byte
	}{
		{a.rootFile, "CERTIFICATE", root},
		{a.certificateFile, "CERTIFICATE", leaf},
		{a.keyFile, "PRIVATE KEY", keyDER},
	} {
		text := pem.EncodeToMemory(&pem.Block{Type: file.kind, Bytes: file.der})
		if err := os.WriteFile(file.path, text, 0o600); err != nil {
			return nil, fmt.Errorf("write %s: %w", filepath.Base(file.path), err)
		}
	}
	return a, nil
}

func template(serial int64, name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          big.NewInt(serial),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
	}
}

func (a *authority) client() *tls.Config {
	return &tls.Config{RootCAs: a.roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
}
