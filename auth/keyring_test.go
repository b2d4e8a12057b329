package auth

import "testing"

// A record in the map decides nothing by itself: the comparison does.
func TestComparisonDecides(t *testing.T) {
	ring := newKeyring(testCallers())
	ring.records[DigestOf("planted")] = ring.records[DigestOf("key-a")]
	if _, reason := ring.find(t.Context(), presented{key: "planted"}, noon()); reason != ReasonUnknown {
		t.Errorf("a key was accepted whose digest differs from its record's: %q", reason)
	}
	if _, reason := ring.find(t.Context(), presented{key: "key-a"}, noon()); reason != "" {
		t.Errorf("the true key was refused: %q", reason)
	}
}
