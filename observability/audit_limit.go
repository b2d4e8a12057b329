package observability

import "time"

const (
	// maxAuditRate is how many refusals of one reason are written in a second.
	maxAuditRate = 100
	// maxAuditReasons bounds the reasons that are counted apart.
	maxAuditReasons = 256
)

// auditLimit counts the records of one reason.
type auditLimit struct {
	event, result, reason string
	began                 time.Time // the second that is counted
	written               int
	suppressed            int64
}

// admit reports whether a refusal may be written, and queues what is due of its
// reason's last second. The caller holds the lock.
func (a *Audit) admit(r *AuditRecord, now time.Time, lost *int) bool {
	key := r.Event + " " + r.Result + " " + r.Reason
	l := a.limits[key]
	if l == nil {
		if len(a.limits) >= maxAuditReasons {
			key = r.Event + " " + r.Result
		}
		if l = a.limits[key]; l == nil {
			l = &auditLimit{event: r.Event, result: r.Result, reason: r.Reason, began: now}
			a.limits[key] = l
		}
	}
	if now.Sub(l.began) >= time.Second {
		*lost += a.closeLimit(l, now)
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
func (a *Audit) closeLimit(l *auditLimit, now time.Time) (lost int) {
	if l.suppressed == 0 {
		return 0
	}
	r := AuditRecord{Event: l.event, Result: l.result, Reason: l.reason, Suppressed: l.suppressed, Since: l.began.UTC()}
	l.suppressed = 0
	return a.add(r, now)
}

// expire closes the seconds that are over, at the end all.
func (a *Audit) expire(now time.Time, end bool) (lost int) {
	for key, l := range a.limits {
		if end || now.Sub(l.began) >= time.Second {
			lost += a.closeLimit(l, now)
			delete(a.limits, key)
		}
	}
	return lost
}
