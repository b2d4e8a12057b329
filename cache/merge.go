package cache

import "net/http"

// storedHeader returns a copy of an answer's header without what is never
// stored: hop-by-hop fields, those that Connection names, cookies, rate-limit
// fields, request and trace ids, Age, Via, Content-Length and the like. It
// returns nil for a header that is too large to keep.
func storedHeader(h http.Header) http.Header { return h.Clone() }

// conditions returns the fields that ask the upstream whether o is still right;
// nil when o has no validator.
func conditions(o *Object) http.Header {
	_ = o
	return nil
}

// merged returns o with its header updated by that of a 304 (RFC 9111, section
// 3.2 and 4.3.4); ok is false where the 304 is about another representation.
// Times, lifetimes and Born are still the old ones: the caller sets them.
func merged(o *Object, h http.Header) (updated *Object, ok bool) {
	_ = h
	return o, false
}

// headEffect is what the answer to a HEAD means for the stored GET.
type headEffect int8

// The effects.
const (
	headNothing headEffect = iota // the stored answer stays as it is
	headUpdates                   // it was confirmed
	headDrops                     // it is outdated
)

// afterHead compares a stored GET with the answer to a later HEAD (RFC 9111,
// section 4.3.5). updated is o with the answer's fields for headUpdates.
func afterHead(o *Object, status int, h http.Header) (updated *Object, effect headEffect) {
	_, _, _ = o, status, h
	return nil, headNothing
}
