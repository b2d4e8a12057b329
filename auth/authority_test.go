package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"
)

// authority issues certificates for tests.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  crypto.Signer
	up   *authority // that issued it; nil = a root
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	return (*authority)(nil).issue(t, name)
}

// issue makes an authority below a; a nil one makes a root.
func (a *authority) issue(t testing.TB, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
	}
	made := &authority{t: t, key: key, up: a}
	parent, signer := template, crypto.Signer(key)
	if a != nil {
		parent, signer = a.cert, a.key
	}
	made.cert = create(t, template, parent, key.Public(), signer)
	return made
}

func create(t testing.TB, template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil { // one that no peer could read either: only its bytes count
		return &x509.Certificate{Raw: der}
	}
	return cert
}

// leaf describes a client certificate.
type leaf struct {
	uris, dns []string
	edit      func(*x509.Certificate)
	key       crypto.Signer // nil = a new one
}

// client issues a certificate for a client, with its chain up to the root.
func (a *authority) client(l leaf) tls.Certificate {
	a.t.Helper()
	if l.key == nil {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			a.t.Fatal(err)
		}
		l.key = key
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "client"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	if len(l.uris)+len(l.dns) > 0 {
		template.ExtraExtensions = []pkix.Extension{alternativeNames(a.t, l.uris, l.dns)}
	}
	if l.edit != nil {
		l.edit(template)
	}
	cert := create(a.t, template, a.cert, l.key.Public(), a.key)
	chain := [][]byte{cert.Raw}
	for up := a; up.up != nil; up = up.up {
		chain = append(chain, up.cert.Raw)
	}
	return tls.Certificate{Certificate: chain, PrivateKey: l.key}
}

// alternativeNames writes names as they are given, also such as nothing but a
// hostile authority would sign.
func alternativeNames(t testing.TB, uris, dns []string) pkix.Extension {
	t.Helper()
	var all []asn1.RawValue
	for _, uri := range uris {
		all = append(all, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tagURI, Bytes: []byte(uri)})
	}
	for _, name := range dns {
		all = append(all, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tagDNS, Bytes: []byte(name)})
	}
	value, err := asn1.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// believed are what [AuthenticateOptions] wants.
func believed(all ...*authority) func() []*x509.Certificate {
	return func() []*x509.Certificate {
		var certs []*x509.Certificate
		for _, a := range all {
			certs = append(certs, a.cert)
		}
		return certs
	}
}
