package observability

import "time"

const (
	// maxAuditRate is how many refusals of one kind are written in a second.
	maxAuditRate = 100
	// maxAuditKinds bounds the kinds that are counted apart in a second; more
	// than that share one count.
	maxAuditKinds = 1024
)

// auditKind is what refusals have in common that are counted together: a caller
// that floods the log hides no other one. Strangers share a kind.
type auditKind struct{ event, result, reason, caller string }

// auditLimit counts the records of one kind.
type auditLimit struct {
	began      time.Time // the second that is counted
	written    int
	suppressed int64
}

// admit reports whether a refusal may be written, and queues what is due of its
// kind's last second. The caller holds the lock.
func (a *Audit) admit(r *AuditRecord, now time.Time, lost *int) bool {
	kind := auditKind{r.Event, r.Result, r.Reason, r.Caller}
	l := a.limits[kind]
	if l == nil {
		if len(a.limits) >= maxAuditKinds {
			kind = auditKind{event: r.Event, result: r.Result}
		}
		if l = a.limits[kind]; l == nil {
			l = &auditLimit{began: now}
			a.limits[kind] = l
		}
	}
	if now.Sub(l.began) >= time.Second {
		*lost += a.closeLimit(kind, l, now)
		l.began, l.written = now, 0
	}
	if l.written >= maxAuditRate {
		l.suppressed++
		return false
	}
	l.written++
	return true
}

// closeLimit queues the record of those that were suppressed.
func (a *Audit) closeLimit(k auditKind, l *auditLimit, now time.Time) (lost int) {
	if l.suppressed == 0 {
		return 0
	}
	r := AuditRecord{Event: k.event, Result: k.result, Reason: k.reason, Caller: k.caller, Suppressed: l.suppressed, Since: l.began.UTC()}
	l.suppressed = 0
	return a.add(r, now)
}

// expire closes the seconds that are over, at the end all.
func (a *Audit) expire(now time.Time, end bool) (lost int) {
	for kind, l := range a.limits {
		if end || now.Sub(l.began) >= time.Second {
			lost += a.closeLimit(kind, l, now)
			delete(a.limits, kind)
		}
	}
	return lost
}
