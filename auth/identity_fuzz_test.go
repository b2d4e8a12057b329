package auth

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"
	"time"
)

// Whatever stands in the alternative names, reading them ends, and finds what was
// written into them.
func FuzzCertificateNames(f *testing.F) {
	f.Add([]byte{0x30, 0x03, 0x86, 0x01, 'x'}, "spiffe://corp.example/a", "a.corp.example")
	f.Add([]byte{0x30, 0x80}, "", "\x00")
	oid := asn1.ObjectIdentifier{2, 5, 29, 17}
	f.Fuzz(func(t *testing.T, raw []byte, uri, dns string) {
		hostile := &x509.Certificate{Extensions: []pkix.Extension{{Id: oid, Value: raw}}}
		if names, err := namesOf(hostile); err != nil && len(names.uris)+len(names.dns) > 0 {
			t.Errorf("%+v with %v", names, err)
		}
		written := alternativeNames(t, []string{uri}, []string{dns})
		names, err := namesOf(&x509.Certificate{Extensions: []pkix.Extension{written}})
		if err != nil || len(names.uris) != 1 || names.uris[0] != uri || len(names.dns) != 1 || names.dns[0] != dns {
			t.Errorf("%q and %q were read as %+v, %v", uri, dns, names, err)
		}
		if text := printable(uri); len(text) > maxClaimed || strings.ContainsAny(text, "\n\r\x00\x1b\u2028") {
			t.Errorf("%q is not fit for a log", text)
		}
	})
}

// No text that this issuer has not signed is good, and none is a panic.
func FuzzJWT(f *testing.F) {
	issuer, key := newTestIssuer(f, cluster), ecKey(f, "one")
	issuer.publish(key)
	v := newVerifier(f, 1, issuer)
	good := key.sign(f, cluster)
	now := time.Now()
	f.Add(good)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add(tampered(good))
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		p := presented{key: token, bearer: true}
		if !v.accepts(p) {
			return
		}
		header, _, _ := strings.Cut(token, ".")
		if caller, reason := v.find(context.Background(), p, now); reason == "" && !strings.HasPrefix(good, header) {
			t.Errorf("%q is taken for a token of %s", token, caller.Name)
		}
	})
}
