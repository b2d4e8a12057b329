package proxy

import (
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Fields of tracing, which go to trusted upstreams only.
const (
	fieldTraceparent = "Traceparent"
	fieldTracestate  = "Tracestate"
	fieldBaggage     = "Baggage"
)

// maxBaggage is how many bytes of baggage are passed on (W3C Baggage, section
// 3.3.2).
const maxBaggage = 8192

// isBaggage reports whether the lines of a field are baggage as it may be passed
// on: at most 8192 bytes, and all of it well-formed (W3C Baggage, section 3.3.1).
func isBaggage(lines []string) bool {
	text := strings.Join(lines, ",")
	if len(text) > maxBaggage {
		return false
	}
	for member := range strings.SplitSeq(text, ",") {
		if !isBaggageMember(member) {
			return false
		}
	}
	return true
}

// isBaggageMember knows key=value, and properties behind it that may be a key
// alone.
func isBaggageMember(text string) bool {
	pair, properties, more := strings.Cut(text, ";")
	if !isBaggagePair(pair, true) {
		return false
	}
	for more {
		var property string
		property, properties, more = strings.Cut(properties, ";")
		if !isBaggagePair(property, false) {
			return false
		}
	}
	return true
}

func isBaggagePair(text string, needsValue bool) bool {
	key, value, has := strings.Cut(text, "=")
	key, value = strings.Trim(key, " \t"), strings.Trim(value, " \t")
	return httpguts.ValidHeaderFieldName(key) && (has || !needsValue) && isBaggageValue(value)
}

// isBaggageValue: visible US-ASCII but for the marks that frame it, where percent
// signs begin an octet.
func isBaggageValue(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c <= ' ', c >= 0x7f, c == '"', c == ',', c == ';', c == '\\':
			return false
		}
	}
	if !strings.Contains(text, "%") {
		return true
	}
	_, err := url.PathUnescape(text)
	return err == nil
}
