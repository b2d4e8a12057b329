package iqsim

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// outboxSize is how many mails are kept; older ones are dropped.
const outboxSize = 1000

// DataConnectStats is what the DataConnect service of one environment counted.
type DataConnectStats struct {
	Active         int               `json:"active"`         // requests that hold a slot now, all databases
	MaxActive      int               `json:"maxActive"`      // most that ever held a slot of one database at once
	Refused        int64             `json:"refused"`        // requests answered 429
	Completed      int64             `json:"completed"`      // answers that were written to their end
	Cancelled      int64             `json:"cancelled"`      // answers cut short because the client left
	BytesSent      int64             `json:"bytesSent"`      // body bytes of table answers, before any content coding
	SessionsOpened int64             `json:"sessionsOpened"` // session cookies handed out
	SessionHits    int64             `json:"sessionHits"`    // requests that brought a valid one
	Imports        int64             `json:"imports"`        // writes that took effect
	Outbox         []DataConnectMail `json:"outbox"`         // mails "sent", oldest first
}

// DataConnectMail is one report that was mailed instead of answered.
type DataConnectMail struct {
	At         time.Time `json:"at"`
	Account    string    `json:"account"`
	Path       string    `json:"path"`
	To         string    `json:"to"`
	Cc         string    `json:"cc,omitempty"`
	Subject    string    `json:"subject"`
	Filename   string    `json:"filename"`
	MediaType  string    `json:"mediaType"`
	Compressed bool      `json:"compressed"`
	Size       int64     `json:"size"` // bytes of the attachment before compression
	// Attachment is the start of the attachment (4 KiB at most), so that a
	// test can look for what must not be mailed.
	Attachment []byte `json:"-"`
}

// dcCounters is the mutable side of DataConnectStats.
type dcCounters struct {
	refused, completed, cancelled, bytesSent atomic.Int64
	sessionsOpened, sessionHits, imports     atomic.Int64

	mu     sync.Mutex
	outbox []DataConnectMail
}

// post puts m into the outbox.
func (c *dcCounters) post(m DataConnectMail) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.outbox) == outboxSize {
		c.outbox = slices.Delete(c.outbox, 0, 1)
	}
	c.outbox = append(c.outbox, m)
}

// snapshot returns the counts so far, without those of the slots.
func (c *dcCounters) snapshot() DataConnectStats {
	c.mu.Lock()
	outbox := slices.Clone(c.outbox)
	c.mu.Unlock()
	return DataConnectStats{
		Refused:        c.refused.Load(),
		Completed:      c.completed.Load(),
		Cancelled:      c.cancelled.Load(),
		BytesSent:      c.bytesSent.Load(),
		SessionsOpened: c.sessionsOpened.Load(),
		SessionHits:    c.sessionHits.Load(),
		Imports:        c.imports.Load(),
		Outbox:         outbox,
	}
}
