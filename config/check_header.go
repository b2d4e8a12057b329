package config

import (
	"net/http"
	"slices"
	"strings"
)

// framing returns the fields that delimit messages or belong to one connection
// (RFC 9110 section 7.6.1, RFC 9112 section 6), besides Proxy-*.
func framing() []string {
	return []string{
		"Host", "Content-Length", "Transfer-Encoding", "Trailer", "Te", "Expect",
		"Connection", "Keep-Alive", "Upgrade", "Http2-Settings",
	}
}

// neverForwarded says why no caller may send a field upstream, "" when one may.
func (c *checker) neverForwarded(name string) string {
	name = http.CanonicalHeaderKey(name)
	switch {
	case slices.Contains([]string{"Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key"}, name):
		return "carries credentials"
	case slices.ContainsFunc(c.Auth.KeyHeaders, func(h HeaderName) bool { return http.CanonicalHeaderKey(string(h)) == name }):
		return "carries callers' keys (auth.key_headers)"
	case slices.Contains(framing(), name) || strings.HasPrefix(name, "Proxy-"):
		return "belongs to one hop"
	case name == "Via" || name == "Forwarded" || strings.HasPrefix(name, "X-Forwarded-"):
		return "tells where callers stand"
	case slices.Contains([]string{"X-Http-Method-Override", "X-Method-Override", "X-Original-Url", "X-Rewrite-Url"}, name):
		return "can replace the method or path that was allowed"
	case slices.Contains([]string{"Traceparent", "Tracestate", "Baggage"}, name):
		return "goes to upstreams with trusted_tracing, as the gateway writes it,"
	default:
		return ""
	}
}

// forwarded refuses fields that no upstream may get from a caller.
func (c *checker) forwarded(s *EffectiveService, fail func(setting, format string, args ...any)) {
	for i, name := range s.Headers.Forward {
		if why := c.neverForwarded(string(name)); why != "" {
			fail(index("headers.forward", i), "%q %s and is never forwarded: remove it", name, why)
		}
	}
}

// keyHeaders refuses fields that mean something else to HTTP or to the gateway.
func (c *checker) keyHeaders() {
	for i, h := range c.Auth.KeyHeaders {
		name := http.CanonicalHeaderKey(string(h))
		taken := name == "Authorization" || name == "Cookie" || slices.Contains(framing(), name)
		for _, prefix := range []string{"Proxy-", "X-Gateway-", "X-Request-", "Content-"} {
			taken = taken || strings.HasPrefix(name, prefix)
		}
		if taken {
			c.errorf(index("auth.key_headers", i), "%q has a meaning of its own and cannot carry keys: use a field such as X-Api-Key", h)
		}
	}
}
