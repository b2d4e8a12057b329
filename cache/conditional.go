package cache

import (
	"net/http"
	"strings"
)

// outcome is how a request is answered from a stored answer that may be used.
type outcome struct {
	// status to answer with: the object's own, 206, 304, 412 or 416.
	status int
	// ranges of the body, of a 206 only.
	ranges []byteRange
}

// evaluate decides between the whole answer, a part of it, 304, 412 and 416 by
// the request's own conditions and ranges, in the order of RFC 9110, section
// 13.2.2. Conditions count only where the answer without them is a success
// (section 13.2.1).
func evaluate(h http.Header, o *Object, method string) outcome {
	whole := outcome{status: o.Status}
	if o.Status < 200 || o.Status > 299 {
		return whole
	}
	if !originConditionsHold(h, o) {
		return outcome{status: http.StatusPreconditionFailed}
	}
	reads := method == http.MethodGet || method == http.MethodHead
	switch {
	case len(h["If-None-Match"]) > 0:
		if matchesTag(h["If-None-Match"], o, weakMatch) {
			if reads {
				return outcome{status: http.StatusNotModified}
			}
			return outcome{status: http.StatusPreconditionFailed}
		}
	case reads && unmodifiedSince(h["If-Modified-Since"], o):
		return outcome{status: http.StatusNotModified}
	}
	if method != http.MethodGet || o.Status != http.StatusOK || !rangeStillMeant(h, o) {
		return whole
	}
	return selectRange(h["Range"], o)
}

// asksOrigin reports whether a request has conditions that only the origin can
// answer, as a cache does not know the current state (RFC 9111, section 4.3.2).
// Such a request bypasses the cache.
func asksOrigin(h http.Header) bool {
	return len(h["If-Match"]) > 0 || len(h["If-Unmodified-Since"]) > 0
}

// originConditionsHold evaluates If-Match and If-Unmodified-Since (RFC 9110,
// section 13.1.1 and 13.1.4), for requests that are answered here after all.
func originConditionsHold(h http.Header, o *Object) bool {
	if len(h["If-Match"]) > 0 {
		return matchesTag(h["If-Match"], o, strongMatch)
	}
	limit, ok := oneDate(h["If-Unmodified-Since"])
	if !ok {
		return true
	}
	modified, ok := oneDate(o.Header["Last-Modified"])
	return !ok || !modified.After(limit)
}

// unmodifiedSince reports whether If-Modified-Since is answered by 304 (RFC
// 9111, section 4.3.2): the answer's Date, or when it came, stand in for a
// missing Last-Modified.
func unmodifiedSince(since []string, o *Object) bool {
	limit, ok := oneDate(since)
	if !ok {
		return false
	}
	if lines := o.Header["Last-Modified"]; len(lines) > 0 {
		modified, ok := oneDate(lines)
		return ok && !modified.After(limit)
	}
	made := dateOf(o.Header, o.Received)
	return !made.IsZero() && !made.After(limit)
}

// rangeStillMeant evaluates If-Range (RFC 9110, section 13.1.5): the part fits
// to what the caller has only where a strong validator is the same.
func rangeStillMeant(h http.Header, o *Object) bool {
	switch lines := h["If-Range"]; {
	case len(lines) == 0:
		return true
	case len(lines) > 1:
		return false
	case strings.HasPrefix(lines[0], `"`):
		tag, rest, ok := cutTag(lines[0])
		return ok && rest == "" && strongMatch(tag, tagOf(o))
	default: // a weak tag is no date either
		date, ok := oneDate(lines)
		modified, known := oneDate(o.Header["Last-Modified"])
		// Only a Last-Modified that is older than the answer by a second is a
		// strong validator (section 8.8.2.2).
		made, dated := oneDate(o.Header["Date"])
		return ok && known && dated && date.Equal(modified) && made.Unix() > modified.Unix()
	}
}
