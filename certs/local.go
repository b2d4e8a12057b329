package certs

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"iqgateway/internal/roots"
)

const (
	caLifetime   = 10 * 365 * 24 * time.Hour
	leafLifetime = 90 * 24 * time.Hour
	clockSkew    = time.Hour // a client's clock may be behind

	caCertFile = "ca.crt"
	caKeyFile  = "ca.key"
	// tempPattern follows the name of a file while it is made, tempLife is how long
	// that takes at most.
	tempPattern = ".*.tmp"
	tempLife    = time.Hour

	sourceLocal = "self_signed"
)

// LocalOptions configures [NewLocal].
type LocalOptions struct {
	// Dir keeps the authority (ca.crt, ca.key with mode 0600) between starts;
	// "" makes a new one each time, which clients have to trust anew.
	Dir   string
	Names []string         // DNS names and IP addresses of the certificate
	Now   func() time.Time // nil = time.Now
}

// Local is a certificate authority of this gateway alone, for trials and for
// networks without one. Its certificate is renewed when a third of its
// lifetime is left, during the handshake that finds out.
type Local struct {
	options LocalOptions
	caCert  *x509.Certificate
	caKey   crypto.Signer

	mu   sync.Mutex
	leaf *tls.Certificate
}

var _ Source = (*Local)(nil)

// NewLocal loads or makes the authority and its first certificate.
func NewLocal(o LocalOptions) (*Local, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	l := &Local{options: o}
	err := l.load()
	if errors.Is(err, fs.ErrNotExist) {
		err = l.create()
	}
	if err != nil {
		return nil, fmt.Errorf("local certificate authority: %w", err)
	}
	l.sweep()
	_, err = l.current()
	return l, err
}

// CAPEM returns the authority's certificate, which clients have to trust.
func (l *Local) CAPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: l.caCert.Raw})
}

// Certificate is the [GetCertificate] of this authority.
func (l *Local) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) { return l.current() }

// Certificates implements [Source].
func (l *Local) Certificates() []Status {
	leaf, err := l.current()
	if err != nil {
		return []Status{{Certificate: sourceLocal, Source: sourceLocal, Err: err}}
	}
	return []Status{statusOf(sourceLocal, sourceLocal, leaf.Leaf)}
}

// Run implements [Source]; there is nothing to do between handshakes.
func (l *Local) Run(context.Context) {}

// LocalCA returns the authority's certificate, PEM, that is kept in dir. The
// error matches fs.ErrNotExist where none has been made yet.
func LocalCA(dir string) ([]byte, error) {
	data, err := readFile(filepath.Join(dir, caCertFile))
	if err != nil {
		return nil, err
	}
	list, err := roots.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, caCertFile), err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: list[0].Raw}), nil
}

func (l *Local) current() (*tls.Certificate, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.options.Now()
	if l.leaf != nil && now.Before(l.leaf.Leaf.NotAfter.Add(-leafLifetime/3)) {
		return l.leaf, nil
	}
	leaf, err := l.issue(now)
	if err != nil {
		return nil, fmt.Errorf("local certificate: %w", err)
	}
	l.leaf = leaf
	return leaf, nil
}

func (l *Local) issue(now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "iqgateway"},
		NotBefore:   now.Add(-clockSkew),
		NotAfter:    now.Add(leafLifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range l.options.Names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, l.caCert, &key.PublicKey, l.caKey)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der, l.caCert.Raw}, PrivateKey: key, Leaf: parsed}, nil
}

func (l *Local) load() error {
	if l.options.Dir == "" {
		return fs.ErrNotExist
	}
	certFile, keyFile := filepath.Join(l.options.Dir, caCertFile), filepath.Join(l.options.Dir, caKeyFile)
	if _, err := os.Stat(certFile); err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return fmt.Errorf("%s with %s (remove both to start anew): %w", certFile, keyFile, err)
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok || !pair.Leaf.IsCA || !l.options.Now().Before(pair.Leaf.NotAfter) {
		return fmt.Errorf("%s is no valid authority; remove it and %s to start anew", certFile, keyFile)
	}
	l.caCert, l.caKey = pair.Leaf, signer
	return nil
}

// create makes the authority, or takes over what another process is making: the
// first key that is there is everybody's, and so is the first certificate of it.
func (l *Local) create() error {
	key, err := l.authorityKey()
	if err != nil {
		return err
	}
	if err := l.sign(key); err != nil || l.options.Dir == "" {
		return err
	}
	if err := linkFile(filepath.Join(l.options.Dir, caCertFile), l.CAPEM(), 0o644); err != nil {
		return err
	}
	return l.load()
}

// sweep removes what a crash has left of the making of the files, among it keys.
// What is young another process may be making.
func (l *Local) sweep() {
	if l.options.Dir == "" {
		return
	}
	names, _ := filepath.Glob(filepath.Join(l.options.Dir, "ca.*"+tempPattern))
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && l.options.Now().Sub(info.ModTime()) > tempLife {
			_ = os.Remove(name) // or at the next start
		}
	}
}

// authorityKey returns a new key, or the one that is kept already.
func (l *Local) authorityKey() (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil || l.options.Dir == "" {
		return key, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(l.options.Dir, 0o700); err != nil {
		return nil, err
	}
	name := filepath.Join(l.options.Dir, caKeyFile)
	if err := linkFile(name, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return nil, err
	}
	data, err := readFile(name)
	if err != nil {
		return nil, err
	}
	kept, err := parseKey(data)
	if err != nil {
		return nil, fmt.Errorf("%s (remove it to start anew): %w", name, err)
	}
	return kept, nil
}

func parseKey(data []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("it holds no PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("its key cannot sign")
	}
	return signer, nil
}

// sign makes the authority's own certificate.
func (l *Local) sign(key crypto.Signer) error {
	now := l.options.Now()
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "iqgateway local authority " + now.UTC().Format(time.DateOnly)},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(caLifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	l.caKey = key
	l.caCert, err = x509.ParseCertificate(der)
	return err
}

// linkFile makes a file as a whole, unless there is one: whoever is first wins.
func linkFile(name string, data []byte, mode fs.FileMode) error {
	temp, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+tempPattern)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	_, err = temp.Write(data)
	err = errors.Join(err, temp.Chmod(mode), temp.Sync(), temp.Close())
	if err != nil {
		return err
	}
	err = os.Link(temp.Name(), name)
	switch {
	case err == nil, errors.Is(err, fs.ErrExist):
		return nil
	default:
		return os.Rename(temp.Name(), name) // a file system without links
	}
}
