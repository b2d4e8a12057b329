package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// otherIdentities checks what names a caller beside its keys. Names are compared
// byte for byte, so one that no certificate may hold would never match.
func (c *checker) otherIdentities(path string, caller Caller, seen map[string]string) {
	for i, cert := range caller.Certificates {
		at := index(path+".certificates", i)
		if (cert.URI == "") == (cert.DNS == "") {
			c.errorf(at, "must name one of uri and dns")
			continue
		}
		c.once(seen, "certificate "+cert.URI+" "+strings.ToLower(cert.DNS), at, fmt.Sprintf("%q", cert.URI+cert.DNS))
		if c.Server.TLS.ClientCAFile == "" {
			c.errorf(at, "needs server.tls.client_ca_file, which says whose certificates are believed")
		}
		c.certificateName(at, cert)
	}
	for i, s := range caller.Subjects {
		c.once(seen, "subject "+s.Issuer+" "+s.Subject, index(path+".subjects", i), fmt.Sprintf("%q", s.Subject))
	}
}

func (c *checker) certificateName(path string, cert CallerCertificate) {
	if cert.DNS != "" {
		if !isHostName(cert.DNS) {
			c.errorf(path+".dns", "%q is no host name: write it without wildcard, port and trailing dot, as a.corp.example", cert.DNS)
		}
		return
	}
	if reason := badCertificateURI(cert.URI); reason != "" {
		c.errorf(path+".uri", "%q can never match: %s; write it as in the certificate, as spiffe://corp.example/ns/shop/sa/storefront", cert.URI, reason)
	}
}

// badCertificateURI says why no certificate holds a name like this, "" if one may:
// the rules of SPIFFE ids (SPIFFE-ID sections 2.1 to 2.4), and of URIs for others.
func badCertificateURI(text string) string {
	if i := strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }); i >= 0 {
		return "it has a character that no URI has"
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme == "":
		return "it is no URI with a scheme"
	case !strings.EqualFold(u.Scheme, "spiffe"):
		return ""
	case !strings.HasPrefix(text, "spiffe://"):
		return "a SPIFFE id begins with spiffe://, in lower case"
	case strings.ContainsAny(text, "?#@%"):
		return "a SPIFFE id has no query, fragment, user or percent escape"
	}
	domain, path, found := strings.Cut(strings.TrimPrefix(text, "spiffe://"), "/")
	switch {
	case domain == "" || strings.Trim(domain, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "":
		return "a trust domain is made of lower-case letters, digits, dots, dashes and underscores, without a port"
	case found && !isSpiffePath(path):
		return "the path of a SPIFFE id has no empty, . or .. segment, and no slash at its end"
	}
	return ""
}

func isSpiffePath(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		other := strings.Trim(segment, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")
		if segment == "" || segment == "." || segment == ".." || other != "" {
			return false
		}
	}
	return true
}

// isHostName reports whether a text is made of DNS labels.
func isHostName(text string) bool {
	for label := range strings.SplitSeq(text, ".") {
		other := strings.Trim(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
		if label == "" || len(label) > 63 || other != "" {
			return false
		}
	}
	return len(text) <= 253
}

// issuers checks who may vouch for callers.
func (c *checker) issuers() {
	seen := map[string]string{}
	for i, j := range c.Auth.JWT {
		at := index("auth.jwt", i)
		c.secureURL(at+".jwks_url", j.JWKSURL)
		if j.Issuer != "" {
			c.once(seen, j.Issuer, at+".issuer", fmt.Sprintf("%q", j.Issuer))
		}
		if !c.vouches(j.Issuer) {
			c.warnf(at, "no caller has a subject of this issuer: its tokens name nobody")
		}
	}
}

func (c *checker) vouches(issuer string) bool {
	for _, caller := range c.Callers {
		if slices.ContainsFunc(caller.Subjects, func(s CallerSubject) bool { return s.Issuer == issuer }) {
			return true
		}
	}
	return false
}
