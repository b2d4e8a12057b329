package observability

import (
	"fmt"
	"log/slog"
	"strings"
)

// key returns what makes an event the same, and the attributes in it.
func (h repeatsHandler) key(r slog.Record) (string, []slog.Attr) {
	var about []slog.Attr
	key := new(strings.Builder)
	fmt.Fprintf(key, "%d\x00%s\x00%s", r.Level, shortText(r.Message), h.prefix)
	r.Attrs(func(a slog.Attr) bool {
		if text, ok := appendKey(key, a); ok {
			about = append(about, slog.String(a.Key, text))
		}
		return true
	})
	return key.String(), about
}

// appendKey adds an attribute to a key if it says what an event is about, and
// returns what it says of that.
func appendKey(key *strings.Builder, a slog.Attr) (text string, ok bool) {
	if k := a.Value.Kind(); k != slog.KindString && k != slog.KindBool && k != slog.KindInt64 {
		return "", false
	}
	if text, ok = identity(a.Key, a.Value.String()); ok {
		text = shortText(text)
		fmt.Fprintf(key, "%s=%s\x00", a.Key, text)
	}
	return text, ok
}

// identity returns what an attribute says of what an event is about: names of the
// configuration and words of closed sets do. Ids, times and texts of errors differ
// each time.
func identity(key, value string) (text string, ok bool) {
	switch key {
	case "environment", "credential", "service", "caller", "bucket", "breaker", "route", "upstream", "origin", "host", "issuer",
		"what", "kind", "operation", "reason", "outcome", "store", "part", "setting", "warning", "certificate", "listener",
		"state", "to", "mode", "trigger", "quota", "source", "file", "key_id", "name":
		return value, true
	case libraryKey, panicKey:
		return steadyText(value), true
	case stackKey:
		return thrownAt(value), true
	}
	return "", false
}

// steadyText returns a text up to its first number, address or quotation: what
// follows differs each time, or is a stranger's choice.
func steadyText(s string) string {
	word := false // the byte before is a letter or a digit, as in http2
	for i := range len(s) {
		c := s[i]
		digit := '0' <= c && c <= '9'
		if digit && !word || c == '[' || c == '"' {
			return s[:i]
		}
		word = digit || 'a' <= c|0x20 && c|0x20 <= 'z'
	}
	return s
}

// thrownAt returns the place of the first function of this program that a stack
// names below its last panic, or "".
func thrownAt(stack string) string {
	if at := strings.LastIndex(stack, "\npanic("); at >= 0 {
		stack = stack[at:]
	}
	ours := false // the line before names a function of ours
	for line := range strings.Lines(stack) {
		if ours {
			place, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			return place
		}
		ours = strings.HasPrefix(line, "iqgateway/") || strings.HasPrefix(line, "main.")
	}
	return ""
}

func shortText(s string) string { return s[:min(len(s), maxRepeatText)] }
