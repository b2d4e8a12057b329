package auth

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
)

// certificateNames are the names that a certificate proves: the subject
// alternative names, byte for byte. The common name proves nothing.
type certificateNames struct{ uris, dns []string }

// The kinds of a GeneralName (RFC 5280 section 4.2.1.6).
const (
	tagDNS = 2
	tagURI = 6
)

var errNames = errors.New("the subject alternative names cannot be read")

// namesOf reads the names as they were signed. x509.Certificate.URIs are parsed,
// and a URL that is written again may lose what an empty fragment was.
func namesOf(leaf *x509.Certificate) (certificateNames, error) {
	var names certificateNames
	oid := asn1.ObjectIdentifier{2, 5, 29, 17}
	for _, extension := range leaf.Extensions {
		if !extension.Id.Equal(oid) {
			continue
		}
		var sequence asn1.RawValue
		rest, err := asn1.Unmarshal(extension.Value, &sequence)
		if err != nil || len(rest) > 0 || !sequence.IsCompound || sequence.Tag != asn1.TagSequence || sequence.Class != asn1.ClassUniversal {
			return certificateNames{}, errNames
		}
		for rest = sequence.Bytes; len(rest) > 0; {
			var name asn1.RawValue
			if rest, err = asn1.Unmarshal(rest, &name); err != nil {
				return certificateNames{}, errNames
			}
			names.add(name)
		}
	}
	return names, nil
}

func (n *certificateNames) add(name asn1.RawValue) {
	if name.Class != asn1.ClassContextSpecific {
		return
	}
	switch name.Tag {
	case tagURI:
		n.uris = append(n.uris, string(name.Bytes))
	case tagDNS:
		n.dns = append(n.dns, string(name.Bytes))
	}
}

// first is the name that a certificate is called by.
func (n *certificateNames) first() string {
	for _, names := range [][]string{n.uris, n.dns} {
		if len(names) > 0 {
			return names[0]
		}
	}
	return ""
}

// lowerASCII folds what DNS folds, and nothing else.
func lowerASCII(s string) string {
	folded := []byte(s)
	for i, b := range folded {
		if 'A' <= b && b <= 'Z' {
			folded[i] = b + 'a' - 'A'
		}
	}
	return string(folded)
}
