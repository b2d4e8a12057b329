package cache

import (
	"net/http"
	"strings"
)

// Why an answer is not stored: a closed set, fit for labels.
const (
	whyStored        = ""
	whyMode          = "mode"             // the service stores nothing
	whyRule          = "rule"             // no rule, one that forbids or only suggests, or none for this status
	whyMethod        = "method"           // answers to it are not stored
	whyStatus        = "status"           // it says nothing about later requests, or is not understood
	whyPartial       = "partial"          // a part of a representation
	whyVary          = "vary"             // it depends on what no key can hold
	whyEncoding      = "encoding"         // encoded as nobody asked for
	whyNoStore       = "no-store"         // the upstream forbids it
	whyRequest       = "request-no-store" // the caller forbids it
	whyPrivate       = "private"          // meant for one user
	whyAuthorization = "authorization"    // asked with a credential, and not declared shareable
	whyUnspecified   = "unspecified"      // nothing says for how long it may be used
	whyUseless       = "useless"          // stale at once, and nothing to revalidate it with
)

// storable decides whether an answer may be stored, and why not. req are the
// fields that went upstream; authorized says that a credential of the gateway's
// went with them, wherever it was injected. What only the body can tell (its
// length, its end) is not decided here.
//
// The sources are RFC 9111, section 3, in ModeRFC9111, and in ModePolicy the
// rule, which r must then be. An upstream's no-store counts in both, and so does
// what makes an answer unfit to be anybody else's.
func storable(
	s *Service, r *Rule, method string, status int, authorized bool, req, resp http.Header,
) (ok bool, why string) {
	if why := unfit(s, r, method, status, req, resp); why != whyStored {
		return false, why
	}
	if s.Mode == ModePolicy {
		why = policyForbids(r, status, resp)
	} else {
		why = upstreamForbids(s, method, status, authorized, resp)
	}
	return why == whyStored, why
}

// unfit tells what is never stored, in no mode.
func unfit(s *Service, r *Rule, method string, status int, req, resp http.Header) string {
	switch {
	case s.Mode == ModeNone:
		return whyMode
	case r != nil && (r.Never || r.Suggest):
		return whyRule
	case method != http.MethodGet && method != http.MethodPost: // a POST that is a read has its body in the key
		return whyMethod
	case status == http.StatusPartialContent, len(resp["Content-Range"]) > 0:
		return whyPartial
	case status < 200 || status > 599 || status == http.StatusNotModified:
		return whyStatus
	case status == http.StatusUnauthorized, status == http.StatusProxyAuthRequired: // about who asked
		return whyStatus
	case !unaskedFree(req, resp):
		return whyEncoding
	case parseCacheControl(req["Cache-Control"]).NoStore:
		return whyRequest
	}
	if _, ok := varyNames(resp); !ok {
		return whyVary
	}
	return whyStored
}

// policyForbids is what a rule, and an upstream in spite of it, keep from being
// stored. private, no-cache and max-age do not count: the key holds the
// credential, and the rule the lifetime.
func policyForbids(r *Rule, status int, resp http.Header) string {
	switch {
	case r == nil || policyTTL(r, status) <= 0 && (r.TTL <= 0 || isNegative(status)):
		return whyRule
	case policyTTL(r, status) <= 0:
		return whyStatus
	case parseCacheControl(resp["Cache-Control"]).NoStore:
		return whyNoStore
	}
	return whyStored
}

// upstreamForbids is RFC 9111, section 3.
func upstreamForbids(s *Service, method string, status int, authorized bool, resp http.Header) string {
	ds, targeted := responseDirectives(s, resp)
	expires := !targeted && len(resp["Expires"]) > 0
	explicit := ds.SMaxAge.Set || ds.MaxAge.Set || expires
	switch {
	case ds.MustUnderstand && !isUnderstood(status):
		return whyStatus
	case ds.NoStore && !ds.MustUnderstand: // section 5.2.2.3
		return whyNoStore
	case ds.Private:
		return whyPrivate
	case authorized && !ds.Public && !ds.MustRevalidate && !ds.SMaxAge.Set: // section 3.5
		return whyAuthorization
	case !explicit && method == http.MethodPost: // RFC 9110, section 9.3.3
		return whyUnspecified
	case !explicit && !mayGuess(status, ds):
		return whyUnspecified
	case !isUseful(ds, expires, resp):
		return whyUseless
	}
	return whyStored
}

// isUseful reports whether an answer could ever be reused: while it is fresh,
// stale, or confirmed by the upstream.
func isUseful(ds directives, expires bool, resp http.Header) bool {
	switch {
	case resp.Get("Etag") != "" || resp.Get("Last-Modified") != "":
		return true
	case ds.NoCache:
		return false
	case ds.WhileRevalidate.For > 0 || ds.IfError.For > 0:
		return true
	case ds.SMaxAge.Set:
		return ds.SMaxAge.For > 0
	case ds.MaxAge.Set:
		return ds.MaxAge.For > 0
	}
	return expires
}

// isUnderstood reports the statuses whose rules for caches are kept here: those
// of RFC 9110, section 15, but for parts and 304, which are never stored.
func isUnderstood(status int) bool {
	switch {
	case status >= 200 && status <= 205, status >= 300 && status <= 303, status == 305,
		status == 307, status == 308, status >= 400 && status <= 417, status == 421,
		status == 422, status == 426, status >= 500 && status <= 505:
		return true
	}
	return false
}

// unaskedFree reports whether an answer is encoded in no way that the request
// did not ask for. A cache that stores such an answer hands it to callers that
// cannot read it.
func unaskedFree(req, resp http.Header) bool {
	for _, line := range resp["Content-Encoding"] {
		for coding := range strings.SplitSeq(line, ",") {
			coding = canonicalCoding(coding)
			if coding != "" && coding != "identity" && !asksFor(req["Accept-Encoding"], coding) {
				return false
			}
		}
	}
	return true
}

// asksFor reports whether a request names a content coding, and not with a
// weight of nothing (RFC 9110, section 12.5.3). Its "*" names none.
func asksFor(lines []string, coding string) bool {
	for _, line := range lines {
		for member := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(member, ";")
			if canonicalCoding(name) == coding {
				return !isZeroWeight(params)
			}
		}
	}
	return false
}

// isZeroWeight reports q=0, q=0.0 and so on (RFC 9110, section 12.4.2).
func isZeroWeight(params string) bool {
	name, q, _ := strings.Cut(params, "=")
	q = strings.Trim(q, " \t")
	return strings.EqualFold(strings.Trim(name, " \t"), "q") && q != "" && strings.Trim(q, "0.") == ""
}

// canonicalCoding folds the names of a coding (RFC 9110, section 8.4.1).
func canonicalCoding(name string) string {
	name = lowered(strings.Trim(name, " \t"))
	return strings.TrimPrefix(name, "x-")
}
