package cache

import (
	"net/http"
	"slices"

	"golang.org/x/net/http/httpguts"
)

// maxVaryNames bounds the fields that one answer may depend on.
const maxVaryNames = 32

// varyNames returns the request fields that an answer depends on, canonical,
// sorted and once each. ok is false where it can answer no other request: "*"
// anywhere, fields with credentials, or what cannot be read (RFC 9110, section
// 12.5.5).
func varyNames(h http.Header) (names []string, ok bool) {
	lines := h["Vary"]
	if len(lines) == 0 {
		return nil, true
	}
	for member := range listMembers(lines) {
		name := http.CanonicalHeaderKey(member)
		switch {
		case name == "*", name == "Cookie", name == "Authorization", name == "Proxy-Authorization",
			!httpguts.ValidHeaderFieldName(name), len(names) == maxVaryNames:
			return nil, false
		case !slices.Contains(names, name):
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, true
}

// matches reports whether o answers the selection in the sense of RFC 9111,
// section 4.1: the fields that its Vary names are the same in both. Fields that
// are in no selection are the same by construction, as they never go upstream.
func (s selection) matches(o *Object) bool {
	if s.refused {
		return false
	}
	if s.text == o.Selected {
		return true
	}
	ours, theirs := s.header(), selection{text: o.Selected}.header()
	for _, name := range o.Vary {
		if !slices.Equal(ours[name], theirs[name]) {
			return false
		}
	}
	return true
}
