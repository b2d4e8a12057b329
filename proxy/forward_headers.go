package proxy

import (
	"net/http"
	"slices"
	"strings"
)

// maxDroppedNames bounds what one request can put into its access log line.
const maxDroppedNames = 32

// forwardedFields are the request fields that mean something to the provider:
// content negotiation, conditions, ranges, content, User-Agent and Prefer. An
// allow-list, because whatever is new or forged then stays here.
func forwardedFields() []string {
	return []string{
		"Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language",
		"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since",
		"Range", "If-Range",
		"Content-Type", "Content-Encoding", "Content-Language", "Content-Disposition",
		"Content-Range", "Content-Md5", "Content-Digest",
		"User-Agent", "Prefer",
	}
}

// neverForwarded are fields that no configuration may send upstream: they name
// the caller, authorize, frame the message, or steer somebody's router.
func neverForwarded() []string {
	return []string{
		"Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key",
		"Host", "Content-Length", "Transfer-Encoding", "Trailer", "Te", "Expect",
		"Connection", "Keep-Alive", "Proxy-Connection", "Upgrade", "Http2-Settings",
		"Via", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
		"X-Http-Method-Override", "X-Method-Override", "X-Original-Url", "X-Rewrite-Url",
	}
}

// outboundHeader builds the header of the upstream request: what the caller
// sent (in), as far as it is not hop-by-hop (which end has lost) and on the
// list. It also returns the names of what is lost by that, sorted.
func (s *Service) outboundHeader(in, end http.Header) (out http.Header, dropped []string) {
	out = make(http.Header, len(end)+2)
	for name := range in {
		if values, ok := end[name]; ok && s.forwards(name, values) {
			out[name] = values
			continue
		}
		if !isOwn(name) {
			dropped = append(dropped, name)
		}
	}
	if _, ok := out["User-Agent"]; !ok {
		out["User-Agent"] = []string{""} // keeps net/http from naming itself
	}
	out["Via"] = []string{via} // not who stood before us: that is no concern of a third party
	slices.Sort(dropped)
	return out, dropped[:min(len(dropped), maxDroppedNames)]
}

// isOwn reports whether a field asks something of the gateway itself, and so has
// arrived where it was to go.
func isOwn(name string) bool {
	return strings.HasPrefix(name, "X-Gateway-") || strings.HasPrefix(name, "X-Request-")
}

// forwards: what the caller's trace is, each attempt writes by itself.
func (s *Service) forwards(name string, values []string) bool {
	if name == fieldBaggage {
		return s.options.TrustedTracing && isBaggage(values)
	}
	return s.forward[name]
}
