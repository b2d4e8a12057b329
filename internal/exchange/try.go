package exchange

import (
	"sync/atomic"
	"time"
)

// Try is one attempt as it is told afterwards: to whoever asks what became of
// the exchange.
type Try struct {
	Span    SpanID        // of the attempt; an upstream that is trusted was told of it
	Host    string        // where it went, with its port if that is not the scheme's own
	Status  int           // of the answer; 0 when none came
	Failure string        // why none came, as the attempt stage names it; "" = it did
	Breaker string        // state of the breaker that it met; "" = none was asked
	Resent  int           // times that the transport itself sent it again on another connection, within Took
	At      time.Duration // after the exchange had begun
	Took    time.Duration // until the answer's header, or the failure
	Body    *BodyEnd      // of the answer; nil when none came
}

// BodyEnd is how the body of an answer ended. It is safe for concurrent use: of an
// answer that several exchanges share, the body may be read longer than one of
// them takes.
type BodyEnd struct {
	failure atomic.Pointer[string]
	took    atomic.Int64 // stored last; 0 = it has not ended
}

// Set notes the end, once: took after the attempt had begun, failure as the attempt
// stage names it, "" = it is whole.
func (b *BodyEnd) Set(took time.Duration, failure string) {
	if failure != "" {
		b.failure.Store(&failure)
	}
	b.took.Store(max(1, int64(took)))
}

// Get returns what Set was given; false = the body has not ended yet.
func (b *BodyEnd) Get() (took time.Duration, failure string, ok bool) {
	if b == nil {
		return 0, "", false
	}
	if took = time.Duration(b.took.Load()); took == 0 {
		return 0, "", false
	}
	if f := b.failure.Load(); f != nil {
		failure = *f
	}
	return took, failure, true
}

// maxTries is how many attempts of one exchange are told of. Configurations
// allow fewer; more than the first ones would only repeat them.
const maxTries = 8

// Tried notes an attempt that began at start.
func (ex *Exchange) Tried(start time.Time, t Try) {
	if len(ex.Tries) < maxTries {
		t.At = ex.Since(start)
		ex.Tries = append(ex.Tries, t)
	}
}
