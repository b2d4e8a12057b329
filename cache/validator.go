package cache

import (
	"strings"
	"time"
)

// entityTag is a validator (RFC 9110, section 8.8.3); the zero value is none.
type entityTag struct {
	opaque string // with its quotes
	weak   bool
}

// cutTag reads the entity tag that s begins with. Tags may hold commas.
func cutTag(s string) (tag entityTag, rest string, ok bool) {
	if after, weak := strings.CutPrefix(s, "W/"); weak {
		tag.weak, s = true, after
	}
	if !strings.HasPrefix(s, `"`) {
		return entityTag{}, "", false
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			tag.opaque = s[:i+1]
			return tag, s[i+1:], true
		case c <= ' ' || c == 0x7f:
			return entityTag{}, "", false
		}
	}
	return entityTag{}, "", false
}

// tagOf returns the stored answer's entity tag, none if it has not exactly one.
func tagOf(o *Object) entityTag { return oneTag(o.Header["Etag"]) }

func oneTag(lines []string) entityTag {
	if len(lines) != 1 {
		return entityTag{}
	}
	tag, rest, ok := cutTag(strings.Trim(lines[0], " \t"))
	if !ok || rest != "" {
		return entityTag{}
	}
	return tag
}

// weakMatch and strongMatch compare as RFC 9110, section 8.8.3.2 says.
func weakMatch(a, b entityTag) bool { return a.opaque != "" && a.opaque == b.opaque }

func strongMatch(a, b entityTag) bool { return weakMatch(a, b) && !a.weak && !b.weak }

// matchesTag evaluates a list of entity tags, or "*", against the stored
// answer. A list that cannot be read to its end matches by what was read before
// the fault.
func matchesTag(lines []string, o *Object, match func(a, b entityTag) bool) bool {
	if len(lines) == 1 && strings.Trim(lines[0], " \t") == "*" {
		return true
	}
	stored := tagOf(o)
	if stored.opaque == "" {
		return false
	}
	for _, line := range lines {
		for {
			tag, rest, ok := cutTag(strings.TrimLeft(line, ", \t"))
			if !ok {
				break
			}
			if match(tag, stored) {
				return true
			}
			line = rest
		}
	}
	return false
}

// oneDate reads a field that must be exactly one date.
func oneDate(lines []string) (time.Time, bool) {
	if len(lines) != 1 {
		return time.Time{}, false
	}
	return parseHTTPDate(strings.Trim(lines[0], " \t"))
}
