// Package roots reads the certificates that others must chain to. It is strict
// where [x509.CertPool.AppendCertsFromPEM] passes over what it cannot read: half
// a file would silently shut out who was vouched for by the rest of it.
package roots

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

// ErrNone is what a file without a certificate is refused with.
var ErrNone = errors.New("it holds no PEM certificate")

const certificate = "CERTIFICATE"

// Parse returns the certificates of a PEM file, at least one. Other blocks are
// passed over; a certificate that is cut or cannot be read is an error.
func Parse(data []byte) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != certificate {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of the file: %w", len(list)+1, err)
		}
		list = append(list, c)
	}
	if err := Whole(data, len(list)); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, ErrNone
	}
	return list, nil
}

// Pool returns the certificates of a PEM file as [Parse] does, to verify with.
func Pool(data []byte) (*x509.CertPool, error) {
	list, err := Parse(data)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for _, c := range list {
		pool.AddCert(c)
	}
	return pool, nil
}

// ReadFile returns the pool of the file with this name, which its errors hold.
func ReadFile(name string) (*x509.CertPool, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	pool, err := Pool(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return pool, nil
}

// Whole refuses a PEM file that begins more certificates than were read from it:
// it is being written, and [pem.Decode] passes over what is cut.
func Whole(data []byte, certificates int) error {
	if begun := bytes.Count(data, []byte("-----BEGIN "+certificate+"-----")); begun != certificates {
		return fmt.Errorf("%d certificates begin in it, and %d are whole", begun, certificates)
	}
	return nil
}
