package auth

import (
	"crypto/tls"
	"encoding/base64"
	"net/http"
	"strings"
)

// maxPresented bounds the work that a request without rights can cause.
const maxPresented = 4

// place is where a credential stood.
type place int8

const (
	placeElsewhere     place = iota // a key header, or the connection
	placeAuthorization              // where the upstream expects its token
	placeProxy                      // Proxy-Authorization
)

// presented is one credential of a request: a text, or the certificate of its
// connection.
type presented struct {
	caller     string // claimed, "" = only the key says who it is
	key        string
	bearer     bool                 // key came as Bearer
	place      place                // where it stood
	connection *tls.ConnectionState // whose verified certificate it is; nil = it is a text
}

// credentials collects every caller credential that r carries; ok is false
// when one of them cannot be read or there are too many. Proxy-Authorization
// counts in the absolute form only: elsewhere it is not meant for us. It appends
// to found, which has no elements.
func credentials(found []presented, r *http.Request, keyHeaders []string, absolute bool) (_ []presented, ok bool) {
	if hasCertificate(r) {
		found = append(found, presented{connection: r.TLS})
	}
	for _, name := range keyHeaders {
		for _, value := range r.Header[name] {
			found = append(found, presented{key: value})
		}
	}
	found, ok = fromFields(found, r.Header["Authorization"], placeAuthorization)
	if ok && absolute {
		found, ok = fromFields(found, r.Header["Proxy-Authorization"], placeProxy)
	}
	return found, ok && len(found) <= maxPresented
}

// hasCertificate reports whether the peer has presented one, which counts
// whether or not anybody is known by it.
func hasCertificate(r *http.Request) bool {
	return r.TLS != nil && len(r.TLS.PeerCertificates) > 0
}

func fromFields(found []presented, fields []string, at place) (_ []presented, ok bool) {
	for _, value := range fields {
		c, ok := parseAuthorization(value)
		if !ok {
			return nil, false
		}
		c.place = at
		found = append(found, c)
	}
	return found, true
}

// parseAuthorization reads "Bearer KEY" and "Basic base64(CALLER:KEY)" (RFC
// 9110 section 11.4, RFC 6750, RFC 7617).
func parseAuthorization(field string) (presented, bool) {
	scheme, rest, found := strings.Cut(field, " ")
	if !found {
		return presented{}, false
	}
	rest = strings.Trim(rest, " ")
	switch {
	case rest == "":
		return presented{}, false
	case strings.EqualFold(scheme, "Bearer"):
		return presented{key: rest, bearer: true}, true
	case strings.EqualFold(scheme, "Basic"):
		return parseBasic(rest)
	}
	return presented{}, false
}

func parseBasic(encoded string) (presented, bool) {
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return presented{}, false
	}
	caller, key, _ := strings.Cut(string(raw), ":")
	if caller == "" || key == "" {
		return presented{}, false
	}
	return presented{caller: caller, key: key}, true
}

// removeCredentials takes out of r what only this gateway may see.
func removeCredentials(r *http.Request, keyHeaders []string) {
	for _, name := range keyHeaders {
		delete(r.Header, name)
	}
	delete(r.Header, "Authorization")
	delete(r.Header, "Proxy-Authorization")
	delete(r.Header, "Cookie")
}
