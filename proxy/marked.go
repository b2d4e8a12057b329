package proxy

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// Marked returns next for calls of the gateway's own. Its requests carry the
// gateway's Via: where they come back to a gateway, they are known. A token call
// that did so unmarked would be answered there as a caller's, which looks like a
// refused password. Its errors say why there was no answer as those of attempts do:
// their method Failure returns a [FailureKind] as text.
func Marked(next http.RoundTripper) http.RoundTripper { return marked{next} }

type marked struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (m marked) RoundTrip(r *http.Request) (*http.Response, error) {
	var connected atomic.Bool
	out := r.Clone(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	}))
	out.Header.Set("Via", via)
	res, err := m.next.RoundTrip(out)
	if err == nil {
		return res, nil
	}
	e := evidence{err: err, connected: connected.Load(), https: r.URL.Scheme == "https"}
	if r.Context().Err() != nil {
		e.cause = context.Cause(r.Context())
	}
	return nil, &failure{kind: classify(e), err: err}
}
