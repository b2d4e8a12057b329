package exchange

import (
	"encoding/hex"
	"math/rand/v2"
)

// TraceID names a trace (W3C Trace Context, section 3.2.2.3); zero = none.
type TraceID [16]byte

// String returns 32 hexadecimal digits.
func (id TraceID) String() string { return hex.EncodeToString(id[:]) }

// SpanID names a span of a trace (W3C Trace Context, section 3.2.2.4); zero =
// none.
type SpanID [8]byte

// String returns 16 hexadecimal digits.
func (id SpanID) String() string { return hex.EncodeToString(id[:]) }

// NewTraceID returns a random one. It opens nothing: it need not be hard to guess.
func NewTraceID() TraceID {
	var id TraceID
	for id == (TraceID{}) {
		putUint64(id[:8], rand.Uint64())
		putUint64(id[8:], rand.Uint64())
	}
	return id
}

// NewSpanID returns a random one.
func NewSpanID() SpanID {
	var id SpanID
	for id == (SpanID{}) {
		putUint64(id[:], rand.Uint64())
	}
	return id
}

func putUint64(b []byte, n uint64) {
	for i := range 8 {
		b[i] = byte(n >> (8 * i))
	}
}

// Trace is where an exchange, or work in the background, stands among traces.
type Trace struct {
	ID      TraceID
	Span    SpanID // its own
	Parent  SpanID // of whoever asked; zero = the trace begins here
	Sampled bool   // it is kept whatever becomes of it
	Told    bool   // spans of this process may be exported: it may name them to others
	State   string // the caller's tracestate, for upstreams that are trusted
}

// NewTrace begins a trace.
func NewTrace() Trace { return Trace{ID: NewTraceID(), Span: NewSpanID()} }

// Link returns what others name it by.
func (t Trace) Link() Link { return Link{Trace: t.ID, Span: t.Span, Sampled: t.Sampled} }

// Link names the span of other work: a fetch that somebody else began, or the
// exchange that had work done in the background. The zero value links to nothing.
type Link struct {
	Trace   TraceID
	Span    SpanID
	Sampled bool
	Own     bool // it was done for the same caller, who may learn of it
}

// IsZero reports whether there is none.
func (l Link) IsZero() bool { return l.Trace == (TraceID{}) }
