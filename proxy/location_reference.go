package proxy

import (
	"net/url"
	"strings"
)

// referenceKind says how much of a URI a reference spells out.
type referenceKind int8

const (
	refRelative referenceKind = iota // x/y, ?q, #f: relative to the request
	refRoot                          // /v1/x
	refAbsolute                      // https://host/x, //host/x
	refOther                         // another scheme
)

// reference is a URI reference in pieces. Unlike net/url it keeps every byte
// of path and query as it came.
type reference struct {
	kind      referenceKind
	scheme    string
	authority string
	rest      string // path, query and fragment
}

// splitReference takes s apart. It refuses what different clients would read
// differently (backslashes, control bytes, spaces, http: without an authority)
// and whatever may name a user.
func splitReference(s string) (reference, bool) {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return reference{}, false
	}
	switch {
	case strings.HasPrefix(s, "//"):
		return splitAuthority("", s[2:])
	case s[0] == '/':
		return reference{kind: refRoot, rest: s}, true
	}
	scheme, after, ok := cutScheme(s)
	switch {
	case !ok:
		return reference{kind: refRelative, rest: s}, true
	case scheme != "http" && scheme != "https":
		return reference{kind: refOther, scheme: scheme, rest: after}, !strings.Contains(after, "@")
	case !strings.HasPrefix(after, "//"):
		return reference{}, false
	}
	return splitAuthority(scheme, after[2:])
}

func splitAuthority(scheme, s string) (reference, bool) {
	end := strings.IndexAny(s, "/?#")
	if end < 0 {
		end = len(s)
	}
	authority := s[:end]
	if authority == "" || strings.Contains(authority, "@") {
		return reference{}, false
	}
	return reference{kind: refAbsolute, scheme: scheme, authority: authority, rest: s[end:]}, true
}

// cutScheme splits off a scheme (RFC 3986 section 3.1), in lower case.
func cutScheme(s string) (scheme, after string, ok bool) {
	before, after, found := strings.Cut(s, ":")
	if !found || before == "" {
		return "", s, false
	}
	for i := range len(before) {
		c := before[i] | 0x20 // lower case; digits and + - . keep their value
		switch {
		case 'a' <= c && c <= 'z':
		case i > 0 && ('0' <= before[i] && before[i] <= '9' || strings.IndexByte("+-.", before[i]) >= 0):
		default:
			return "", s, false
		}
	}
	return strings.ToLower(before), after, true
}

// hasSecret reports whether a parameter of the query or fragment is named like
// a credential.
func (r reference) hasSecret() bool {
	_, params, found := strings.Cut(r.rest, "?")
	if !found {
		if _, params, found = strings.Cut(r.rest, "#"); !found {
			return false
		}
	}
	for param := range strings.FieldsFuncSeq(params, func(c rune) bool { return strings.ContainsRune("&;?#", c) }) {
		name, _, _ := strings.Cut(param, "=")
		if decoded, err := url.QueryUnescape(name); err == nil {
			name = decoded
		}
		if isSecretName(strings.ToLower(strings.TrimSpace(name))) {
			return true
		}
	}
	return false
}

func isSecretName(name string) bool {
	switch name {
	case "access_token", "basic_token", "refresh_token", "id_token", "token",
		"auth", "authorization", "password", "client_secret":
		return true
	}
	return false
}
