package cache

import "net/http"

// selection is what of a request's header selects a variant. The upstream is
// sent exactly this.
type selection struct {
	// text is injective over the fields: one "Name: value" line for each.
	text string
	// refused: the fields are too large or malformed; the request bypasses the
	// cache.
	refused bool
}

// selectFields returns the selection of a request to s under r; r may be nil.
func selectFields(s *Service, r *Rule, h http.Header) selection {
	_, _, _ = s, r, h
	return selection{}
}

// header returns the fields to send upstream.
func (s selection) header() http.Header { return http.Header{} }

// matches reports whether o answers the selection: the fields that its Vary
// names are the same in both (RFC 9111, section 4.1).
func (s selection) matches(o *Object) bool { return s.text == o.Selected }

// varyNames returns the request fields that an answer depends on, canonical,
// sorted and once each. ok is false where it can answer no other request: "*",
// fields with credentials, or what cannot be read.
func varyNames(h http.Header) (names []string, ok bool) {
	_ = h
	return nil, false
}
