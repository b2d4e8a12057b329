package observability

import "context"

// auditInstruments measure the audit log.
type auditInstruments struct{ dropped, failed counter }

func (a *auditInstruments) declare(d *declarer) {
	a.dropped = d.counter("iqgw.audit.dropped", "{record}",
		"Audit records that are lost: their sink was full or did not take them. Any increase is a hole in the record of who did what.")
	a.failed = d.counter("iqgw.audit.write_errors", "{error}",
		"Writes to the audit log that failed, and were tried again. While it grows records pile up; iqgw_audit_dropped_total says when they are lost.")
	// Both are there from the start: an alert on their increase needs a first value.
	a.dropped.add(context.Background(), 0)
	a.failed.add(context.Background(), 0)
}

// AuditDropped counts audit records that are lost.
func (m *Metrics) AuditDropped(records int) {
	if m != nil {
		m.audit.dropped.add(context.Background(), int64(records))
	}
}

// AuditWriteFailed counts a write to the audit log that failed.
func (m *Metrics) AuditWriteFailed() {
	if m != nil {
		m.audit.failed.add(context.Background(), 1)
	}
}
