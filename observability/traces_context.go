package observability

import (
	"encoding/hex"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/trace"

	"iqgateway/internal/exchange"
)

// Bounds of a tracestate that is passed on (W3C Trace Context, section 3.3.1.5:
// at least 512 characters).
const maxTraceState = 512

// callersTrace reads where a caller's request stands among its traces: one
// well-formed traceparent, as W3C Trace Context sections 3.2 and 3.4 have it; false =
// there is none, and the trace begins here.
func callersTrace(h http.Header) (exchange.Trace, bool) {
	values := h["Traceparent"]
	if len(values) != 1 {
		return exchange.Trace{}, false
	}
	t, ok := parseTraceparent(values[0])
	if ok {
		t.State = callersState(h["Tracestate"])
	}
	return t, ok
}

const (
	traceparentLength = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	flagSampled       = 1
)

// parseTraceparent reads version 00 exactly, and of higher versions the part that
// version 00 has.
func parseTraceparent(s string) (t exchange.Trace, ok bool) {
	if len(s) < traceparentLength || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return t, false
	}
	var version, flags [1]byte
	if !unhex(version[:], s[:2]) || !unhex(t.ID[:], s[3:35]) || !unhex(t.Parent[:], s[36:52]) || !unhex(flags[:], s[53:55]) {
		return exchange.Trace{}, false
	}
	switch rest := s[traceparentLength:]; {
	case version[0] == 0xff, version[0] == 0 && rest != "", rest != "" && rest[0] != '-':
		return exchange.Trace{}, false
	case t.ID == exchange.TraceID{}, t.Parent == exchange.SpanID{}:
		return exchange.Trace{}, false
	}
	t.Sampled = flags[0]&flagSampled != 0
	return t, true
}

// unhex reads hexadecimal digits, in lower case only.
func unhex(into []byte, digits string) bool {
	for i := range len(digits) {
		if c := digits[i]; 'A' <= c && c <= 'F' {
			return false
		}
	}
	_, err := hex.Decode(into, []byte(digits))
	return err == nil
}

// callersState returns a tracestate that can be passed on, or "": at most 32
// well-formed members, no key twice.
func callersState(fields []string) string {
	if len(fields) == 0 {
		return ""
	}
	joined := strings.Join(fields, ",")
	if len(joined) > maxTraceState {
		return ""
	}
	state, err := trace.ParseTraceState(joined)
	if err != nil {
		return ""
	}
	return state.String()
}
