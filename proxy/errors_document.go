package proxy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"iqgateway/internal/exchange"
)

const (
	maxDetail        = 1024 // bytes of a public text in a body
	maxStatusDetails = 256  // and in a field
)

// document is a problem document (RFC 9457 section 3), in the order in which a
// human wants to read it.
type document struct {
	Type       string           `json:"type"`
	Title      string           `json:"title"`
	Status     int              `json:"status"`
	Detail     string           `json:"detail,omitempty"`
	Instance   string           `json:"instance,omitempty"`
	TraceID    string           `json:"trace_id,omitempty"`
	TraceURL   string           `json:"trace_url,omitempty"`
	RetryAfter int64            `json:"retry_after,omitempty"` // seconds
	Outcome    exchange.Outcome `json:"outcome,omitempty"`
}

// document encodes p for the caller.
func (e *Errors) document(p *exchange.Problem, ex *exchange.Exchange) []byte {
	spec := e.spec(p.Type)
	d := document{
		Type:     cmp.Or(spec.Type.URI(), e.options.Base+"#"+string(spec.Type)),
		Title:    spec.Title,
		Status:   spec.Status,
		Detail:   cleanText(p.Detail, maxDetail),
		Instance: ex.ID,
		TraceURL: e.options.TraceURL(ex, spec.Status),
		Outcome:  p.Outcome,
	}
	if ex.Trace.ID != (exchange.TraceID{}) {
		d.TraceID = ex.Trace.ID.String()
	}
	if p.RetryAfter > 0 {
		d.RetryAfter = retrySeconds(p.RetryAfter)
	}
	return mergeMembers(encodeJSON(d), p.Extra)
}

// mergeMembers appends extra members to the object in first. Names that the
// object already has, or always means something by, are left out.
func mergeMembers(first []byte, extra map[string]any) []byte {
	more := make(map[string]any, len(extra))
	for name, value := range extra {
		if !isReservedMember(name) {
			more[name] = value
		}
	}
	if len(more) == 0 {
		return append(first, '\n')
	}
	second := encodeJSON(more)
	if len(second) == 0 { // a value that JSON cannot hold; the rest still counts
		return append(first, '\n')
	}
	merged := append(first[:len(first)-1:len(first)-1], ',')
	return append(append(merged, second[1:]...), '\n')
}

func isReservedMember(name string) bool {
	switch name {
	case "type", "title", "status", "detail", "instance", "trace_id", "trace_url", "retry_after", "outcome":
		return true
	}
	return false
}

// encodeJSON returns v as JSON without a line end, nil when it cannot be
// encoded. Quotes and angle brackets of an URL stay readable.
func encodeJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// cleanText makes a text that may hold bytes of a request fit for terminals
// and logs: control characters become spaces, and it ends after limit bytes.
func cleanText(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) <= limit {
		return s
	}
	s = s[:limit]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}

// proxyStatus renders the Proxy-Status field (RFC 9209) of p: a structured
// field list with one member.
func (e *Errors) proxyStatus(p *exchange.Problem) string {
	b := append(make([]byte, 0, 128), Pseudonym...)
	if token := e.proxyError(p); token != "" {
		b = append(append(b, "; error="...), token...)
	}
	if p.Detail != "" {
		b = appendString(append(b, "; details="...), cleanText(p.Detail, maxStatusDetails))
	}
	return string(b)
}
