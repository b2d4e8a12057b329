package proxy

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"iqgateway/internal/exchange"
)

// checkHeader refuses fields that two servers may read differently, and sizes
// beyond the limits.
func (s *sanitizer) checkHeader(r *http.Request) *exchange.Problem {
	size, fields := requestLineAndHost(r), 1
	for name, values := range r.Header {
		if strings.IndexByte(name, '_') >= 0 {
			return exchange.Refuse(exchange.MalformedRequest,
				"the field name "+quoted(name)+" has an underscore, which some servers read as a hyphen")
		}
		fields += len(values)
		for _, v := range values {
			size += len(name) + len(": ") + len(v) + len("\r\n")
		}
	}
	if fields > s.MaxFields {
		return exchange.Refuse(exchange.HeaderTooLarge, fmt.Sprintf("the header has %d lines, the limit is %d", fields, s.MaxFields))
	}
	if size > s.MaxHeader+len(r.RequestURI) {
		return exchange.Refuse(exchange.HeaderTooLarge, fmt.Sprintf("the header is larger than %d bytes (server.limits.max_header)", s.MaxHeader))
	}
	return s.checkFields(r)
}

// requestLineAndHost: the target has a limit of its own and counts apart.
func requestLineAndHost(r *http.Request) int {
	return len(r.RequestURI) + len("Host: \r\n") + len(r.Host)
}

func (s *sanitizer) checkFields(r *http.Request) *exchange.Problem {
	if expect, ok := r.Header["Expect"]; ok && (len(expect) > 1 || !strings.EqualFold(expect[0], "100-continue")) {
		return exchange.Refuse(exchange.ExpectationFailed, "the only expectation that the gateway meets is 100-continue")
	}
	// HTTP/2 keeps a Host field beside :authority; HTTP/1 has none here.
	for _, h := range r.Header["Host"] {
		if h != r.Host {
			return exchange.Refuse(exchange.MalformedRequest, "the Host field and :authority differ; send one of them")
		}
	}
	for _, v := range r.Header["Via"] {
		if names(v, s.Pseudonym) {
			return exchange.Refuse(exchange.LoopDetected,
				"the request came back to the gateway: the upstream's name resolves to the gateway itself (set environments.*.resolver)")
		}
	}
	return nil
}

// names reports whether a Via value ("1.1 a, 1.1 b (comment)") lists pseudonym.
func names(via, pseudonym string) bool {
	for entry := range strings.SplitSeq(via, ",") {
		if parts := strings.Fields(entry); len(parts) >= 2 && strings.EqualFold(parts[1], pseudonym) {
			return true
		}
	}
	return false
}

// deadline reads X-Request-Timeout-Ms, which bounds the whole exchange.
func (s *sanitizer) deadline(ctx context.Context, h http.Header) (context.Context, context.CancelFunc, *exchange.Problem) {
	values, ok := h["X-Request-Timeout-Ms"]
	if !ok {
		return ctx, func() {}, nil
	}
	ms, err := strconv.ParseUint(values[0], 10, 32)
	if err != nil || ms == 0 || len(values) > 1 {
		return nil, nil, exchange.Refuse(exchange.MalformedRequest,
			"X-Request-Timeout-Ms must be one positive number of milliseconds, not "+quoted(strings.Join(values, ", ")))
	}
	after := min(time.Duration(ms)*time.Millisecond, s.MaxDeadline)
	ctx, cancel := context.WithTimeoutCause(ctx, after, callerDeadlineError{after})
	return ctx, cancel, nil
}

// noWait reads X-Gateway-Wait: 0 has a request refused that would have to wait
// for quota.
func noWait(h http.Header) (bool, *exchange.Problem) {
	values, ok := h["X-Gateway-Wait"]
	switch {
	case !ok || len(values) == 1 && values[0] == "1":
		return false, nil
	case len(values) == 1 && values[0] == "0":
		return true, nil
	}
	return false, exchange.Refuse(exchange.MalformedRequest,
		"X-Gateway-Wait must be 0 (never wait for quota) or 1 (as usual), not "+quoted(strings.Join(values, ", ")))
}

// endToEnd returns h without the fields that are for this hop alone (RFC 9110
// section 7.6.1): the known ones and those that Connection names. Upgrade and
// HTTP2-Settings must never reach a reverse proxy, which would tunnel them.
func endToEnd(h http.Header) http.Header {
	clean := h
	drop := func(name string) {
		if _, ok := clean[name]; !ok {
			return
		}
		if len(clean) == len(h) { // the first one: the header belongs to net/http
			clean = h.Clone()
		}
		delete(clean, name)
	}
	for _, value := range h["Connection"] {
		for name := range strings.SplitSeq(value, ",") {
			drop(http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
	for _, name := range [...]string{
		"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding",
		"Upgrade", "Http2-Settings", "Expect", "Host", "Content-Length",
	} {
		drop(name)
	}
	return clean
}
