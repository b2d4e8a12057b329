package proxy

import "net/http"

// Marked returns next with the gateway's Via on its requests: where they come
// back to a gateway, they are known. A token call that did so unmarked would be
// answered there as a caller's, which looks like a refused password.
func Marked(next http.RoundTripper) http.RoundTripper { return marked{next} }

type marked struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (m marked) RoundTrip(r *http.Request) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.Header.Set("Via", via)
	return m.next.RoundTrip(out)
}
