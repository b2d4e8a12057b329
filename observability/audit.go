package observability

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// maxAuditQueue bounds the records that wait to be written.
	maxAuditQueue = 4096
	// auditReserve is how many of these places are for changes alone: nobody is
	// to push an operator's out of the log.
	auditReserve = 512
	// auditTick is how often is looked for what is due: counts of what was
	// suppressed, and a file that was moved away.
	auditTick = time.Second
	// auditSummary is how often allowed requests are told in sum.
	auditSummary = time.Minute
)

// AuditOptions configures [NewAudit].
type AuditOptions struct {
	Sink    AuditSink // where records go; required
	Replica string    // stands in every record
	// Allowed says what is told of requests that were allowed: AllowedSummary
	// (the default), AllowedEach or AllowedNone.
	Allowed string
	Now     func() time.Time // nil = time.Now
	Hooks   AuditHooks
}

// What is told of allowed requests.
const (
	AllowedSummary = "summary" // one record a minute of each credential, service, and read or write
	AllowedEach    = "each"
	AllowedNone    = "none"
)

// AuditHooks are called as things happen; nil funcs are skipped. They must be
// safe for concurrent use.
type AuditHooks struct {
	// Dropped is called with how many records are lost.
	Dropped func(records int)
	// WriteFailed is called for each write that failed; it is tried again.
	WriteFailed func(error)
	Panicked    func(value any, stack []byte)
}

// Audit is the log of decisions: who was let in, who not, and what operators and
// files have changed. A record costs the one who notes it a place in a queue:
// one goroutine writes. When that cannot, the queue fills, and what comes then is
// dropped and counted; its numbers are missing in the log. A nil Audit is none.
type Audit struct {
	options AuditOptions
	summary auditCounts
	wake    chan struct{} // there is something to write
	reopen  chan struct{} // the file is to be opened anew

	mu     sync.Mutex
	seq    uint64
	queue  []AuditRecord
	limits map[auditKind]*auditLimit
	told   time.Time // when the last summary was
}

// NewAudit returns the log. Nothing is opened or written before [Audit.Run].
func NewAudit(o AuditOptions) (*Audit, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	switch o.Allowed {
	case "":
		o.Allowed = AllowedSummary
	case AllowedSummary, AllowedEach, AllowedNone:
	default:
		return nil, errors.New("audit: allowed is none of summary, each, none")
	}
	a := &Audit{
		options: o, told: o.Now(), limits: map[auditKind]*auditLimit{},
		wake: make(chan struct{}, 1), reopen: make(chan struct{}, 1),
	}
	if shared, ok := o.Sink.(auditLines); ok {
		shared.lines.onAuditLost(a.dropped)
	}
	return a, nil
}

// Note adds a record. Its number, time and replica are set here. Refusals and
// failures are bounded for each reason and caller, the others are not. It never waits.
func (a *Audit) Note(r AuditRecord) {
	if a == nil {
		return
	}
	now := a.options.Now()
	a.mu.Lock()
	lost := 0
	if (r.Result != AuditRefused && r.Result != AuditFailed) || a.admit(&r, now, &lost) {
		lost += a.add(r, now)
	}
	a.mu.Unlock()
	a.rouse(lost)
}

// add queues a record and returns how many that has cost. The caller holds the
// lock.
func (a *Audit) add(r AuditRecord, now time.Time) (lost int) {
	a.seq++
	places := maxAuditQueue
	if !r.changes() {
		places -= auditReserve
	}
	if len(a.queue) >= places {
		return 1
	}
	r.Seq, r.Time, r.Log, r.Replica = a.seq, now.UTC(), "audit", a.options.Replica
	a.queue = append(a.queue, r)
	return 0
}

// rouse tells the writer that there is work, and the hooks of lost records.
func (a *Audit) rouse(lost int) {
	a.dropped(lost)
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *Audit) dropped(records int) {
	if records > 0 && a.options.Hooks.Dropped != nil {
		a.options.Hooks.Dropped(records)
	}
}

// Reopen has the file opened anew: it was moved away by a rotation of logs.
func (a *Audit) Reopen() {
	if a == nil {
		return
	}
	select {
	case a.reopen <- struct{}{}:
	default:
	}
}

// Run writes until ctx ends, and then what is left. It returns soon even when
// nobody takes what is written.
func (a *Audit) Run(ctx context.Context) {
	tick := time.NewTicker(auditTick)
	defer tick.Stop()
	w := &auditWriter{audit: a}
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-a.wake:
		case <-a.reopen:
			w.reopen()
		case <-tick.C:
			a.due(a.options.Now(), false)
			w.follow()
		}
		w.drain(ctx)
	}
	a.due(a.options.Now(), true)
	w.drain(ctx)
	w.close()
}

// due queues what is told in sum; at the end, all of it.
func (a *Audit) due(now time.Time, end bool) {
	a.mu.Lock()
	lost := a.expire(now, end)
	if end || now.Sub(a.told) >= auditSummary {
		for _, r := range a.summary.take(a.told.UTC()) {
			lost += a.add(r, now)
		}
		a.told = now
	}
	a.mu.Unlock()
	a.dropped(lost)
}

// take returns what is queued.
func (a *Audit) take() []AuditRecord {
	a.mu.Lock()
	defer a.mu.Unlock()
	batch := a.queue
	a.queue = nil
	return batch
}
