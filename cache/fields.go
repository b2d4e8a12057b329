package cache

import (
	"net/http"
	"strings"
)

// maxStoredHeader bounds the header of a stored answer, in bytes and fields.
const (
	maxStoredHeader = 32 << 10
	maxStoredFields = 128
)

// storedHeader returns a copy of an answer's header without what is never
// stored (RFC 9111, section 3.1): hop-by-hop fields, those that Connection
// names, cookies, and all that is about the one exchange that fetched it. It
// returns nil for a header that is too large to keep.
//
// Content-Length is not kept either: the length of the body that is stored
// counts.
func storedHeader(h http.Header) http.Header {
	named := connectionNames(h)
	dropped := func(name string) bool { return neverStored(name) || named[name] }
	lines, size := 0, 0
	for name, values := range h {
		if dropped(name) {
			continue
		}
		for _, value := range values {
			lines++
			size += len(name) + len(value)
		}
	}
	if size > maxStoredHeader || lines > maxStoredFields {
		return nil
	}
	return fieldsBut(h, dropped)
}

// fieldsBut returns a copy of a header without some fields.
func fieldsBut(h http.Header, dropped func(name string) bool) http.Header {
	fields, lines := 0, 0
	for name, values := range h {
		if !dropped(name) {
			fields, lines = fields+1, lines+len(values)
		}
	}
	kept := make(http.Header, fields+1)
	all := make([]string, 0, lines) // one array: h's own would keep what is dropped
	for name, values := range h {
		if dropped(name) {
			continue
		}
		begin := len(all)
		all = append(all, values...)
		kept[name] = all[begin:len(all):len(all)]
	}
	return kept
}

// connectionNames are the fields that Connection makes hop-by-hop.
func connectionNames(h http.Header) map[string]bool {
	lines := h["Connection"]
	if len(lines) == 0 {
		return nil
	}
	names := map[string]bool{}
	for member := range listMembers(lines) {
		names[http.CanonicalHeaderKey(member)] = true
	}
	return names
}

// neverStored names fields, canonical, of one connection or one exchange only.
func neverStored(name string) bool {
	switch name {
	case // of the connection
		"Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Alt-Svc", "Http2-Settings",
		// of the body as it came; the store knows better
		"Content-Length", "Content-Range",
		// of a session or a login
		"Set-Cookie", "Set-Cookie2", "Cookie", "Authorization", "Authentication-Info",
		// of the way here
		"Age", "Via", "Cache-Status", "Cdn-Cache-Status", "X-Cache", "X-Cache-Hits", "X-Served-By", "Server-Timing", "Warning",
		// of the moment
		"Retry-After",
		// of the one request: names of it, and of its trace
		"Request-Id", "Correlation-Id", "Client-Request-Id", "Request-Context", "Cf-Ray", "Baggage",
		"Traceparent", "Tracestate", "Traceresponse", "X-Cloud-Trace-Context", "Uber-Trace-Id", "B3",
		"X-Runtime", "X-Response-Time", "X-Azure-Ref", "X-Quota-Source", "X-Quota-Wait-Ms":
		return true
	}
	return isLimitField(name) || isRequestName(name)
}

// isLimitField recognises all spellings of rate-limit fields: X-RateLimit-*,
// RateLimit, X-Rate-Limit-*, IQ-APIM-RateLimit-* and their like.
func isLimitField(name string) bool {
	return strings.Contains(name, "Ratelimit") || strings.Contains(name, "Rate-Limit") ||
		strings.HasPrefix(name, "Proxy-") // Proxy-Authenticate, Proxy-Connection, Proxy-Status, …
}

// isRequestName recognises fields such as X-Request-Id, X-Ms-Request-Id,
// X-Amzn-Trace-Id, X-Correlation-Id and X-B3-TraceId.
func isRequestName(name string) bool {
	for _, suffix := range [...]string{
		"-Request-Id", "-Requestid", "-Trace-Id", "-Traceid", "-Correlation-Id", "-Correlationid",
		"-Activity-Id", "-Activityid",
	} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return strings.HasPrefix(name, "X-B3-") || strings.HasPrefix(name, "X-Datadog-")
}
