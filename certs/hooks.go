package certs

import (
	"time"
)

// Outcome is how an attempt to renew a certificate or its like ended.
type Outcome string

// The outcomes.
const (
	Loaded   Outcome = "loaded"   // it serves from now on
	Refused  Outcome = "refused"  // files that cannot be used; what served before serves on
	Obtained Outcome = "obtained" // the CA has issued it
	Failed   Outcome = "failed"   // the CA has not; what served before serves on
	Expired  Outcome = "expired"  // it has ended, and nothing follows it
)

// Event is one change of a certificate or of the authorities of clients.
type Event struct {
	// Certificate is its name in the configuration.
	Certificate string
	// Source is files, acme, self_signed, client_ca or acme_ca.
	Source  string
	Outcome Outcome
	// Names are the certificate's own; of authorities, their subjects.
	Names []string
	// NotAfter is when it ends; zero where there is none.
	NotAfter time.Time
	// Err is why it was refused or failed.
	Err error
}

// Hooks are called as things happen, once per change, possibly by several
// goroutines at once; nil ones are skipped.
type Hooks struct {
	Changed func(Event)
	// Panicked tells of a panic in the background; the work begins anew.
	Panicked func(value any, stack []byte)
}

func (h Hooks) changed(e Event) {
	if h.Changed != nil {
		h.Changed(e)
	}
}

func (h Hooks) panicked(value any, stack []byte) {
	if h.Panicked != nil {
		h.Panicked(value, stack)
	}
}
