package cache

import (
	"net/http"
	"slices"
	"strings"
)

// maxSelection bounds the fields that select a variant, in bytes: they are part
// of what is kept, and a caller chooses them.
const maxSelection = 4 << 10

// selection is what of a request's header selects a variant. The upstream is
// sent exactly this: what is not keyed is not sent.
type selection struct {
	// text is injective over the fields to send: one "Name: value" line for each
	// value.
	text string
	// refused: the fields are too large or hold line ends. The request bypasses
	// the cache.
	refused bool
}

// selectFields returns the selection of a request to s under r, whose Vary it
// uses; a nil r and a nil Vary stand for Accept and Accept-Language. Beyond
// those, the other usual fields and those of s.Forward select where a request
// has them.
//
// Values are normalised where the field's meaning allows it (RFC 9111, section
// 4.1). Accept-Encoding becomes gzip or identity.
func selectFields(s *Service, r *Rule, h http.Header) selection {
	vary := []string{"Accept", "Accept-Language"}
	if r != nil && r.Vary != nil {
		vary = r.Vary
	}
	var buffer [256]byte
	w := selectionWriter{text: buffer[:0]}
	for _, name := range vary {
		w = w.add(h, name)
	}
	for _, name := range [...]string{"Accept-Charset", "Prefer"} {
		if !slices.Contains(vary, name) {
			w = w.add(h, name)
		}
	}
	for i, name := range s.Forward {
		if !slices.Contains(vary, name) && !slices.Contains(s.Forward[:i], name) && !isUsualField(name) {
			w = w.add(h, name)
		}
	}
	w = w.line("Accept-Encoding", acceptedCoding(h["Accept-Encoding"]))
	if w.refused {
		return selection{refused: true}
	}
	return selection{text: w.String()}
}

// isUsualField names what selectFields treats by name.
func isUsualField(name string) bool {
	switch name {
	case "Accept", "Accept-Language", "Accept-Charset", "Accept-Encoding", "Prefer":
		return true
	}
	return false
}

// neverSelects names fields that must not reach a shared fetch even where a
// rule names them: credentials, framing, tracing, and what the cache itself answers.
func neverSelects(name string) bool {
	switch name {
	case "Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "Host", "Forwarded",
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
		"X-Http-Method-Override", "X-Method-Override", "X-Original-Url", "X-Rewrite-Url",
		"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
		"Content-Length", "Expect", "Via", "Cache-Control", "Pragma", "Range", "If-Range",
		"Traceparent", "Tracestate", "Baggage",
		"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since",
		"Accept-Encoding": // always there, in one of two forms
		return true
	}
	return false
}

// selectionWriter collects the lines of a selection. It is passed by value, so
// that its text can lie in an array of the one who begins it.
type selectionWriter struct {
	text    []byte
	raw     int // bytes of the values seen
	refused bool
}

// add appends a field, where the request has it.
func (w selectionWriter) add(h http.Header, name string) selectionWriter {
	values := h[name]
	if len(values) == 0 || neverSelects(name) {
		return w
	}
	for _, value := range values {
		w.raw += len(name) + len(value)
		if strings.ContainsAny(value, "\r\n\x00") {
			w.refused = true
		}
	}
	if w.refused = w.refused || w.raw > maxSelection; w.refused {
		return w
	}
	switch name {
	case "Accept":
		w = w.line(name, normalAccept(values))
	case "Accept-Language":
		w = w.line(name, normalLanguages(values))
	case "Accept-Charset", "Prefer":
		w = w.line(name, normalList(values))
	default: // its meaning is not known: nothing but outer white space goes
		for _, value := range values {
			w = w.line(name, strings.Trim(value, " \t"))
		}
	}
	return w
}

func (w selectionWriter) line(name, value string) selectionWriter {
	w.text = append(append(append(append(w.text, name...), ": "...), value...), '\n')
	w.refused = w.refused || len(w.text) > maxSelection
	return w
}

// String returns the text; those of requests that select nothing else are at
// hand.
func (w selectionWriter) String() string {
	const gzip, identity = "Accept-Encoding: gzip\n", "Accept-Encoding: identity\n"
	switch string(w.text) {
	case gzip:
		return gzip
	case identity:
		return identity
	}
	return string(w.text)
}

// header returns the fields to send upstream.
func (s selection) header() http.Header {
	h := make(http.Header, 4)
	eachLine(s.text, func(name, value string) { h[name] = append(h[name], value) })
	return h
}

func eachLine(text string, do func(name, value string)) {
	for line := range strings.SplitSeq(text, "\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			do(name, value)
		}
	}
}
