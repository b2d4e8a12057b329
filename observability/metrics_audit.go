package observability

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/metric"
)

// auditInstruments measure the audit log.
type auditInstruments struct {
	dropped, failed metric.Int64Counter
}

func newAuditInstruments(meter metric.Meter) (auditInstruments, error) {
	var a auditInstruments
	var errs [2]error
	a.dropped, errs[0] = meter.Int64Counter("iqgw.audit.dropped", metric.WithUnit("{record}"),
		metric.WithDescription("Audit records that are lost: their sink was full or did not take them."))
	a.failed, errs[1] = meter.Int64Counter("iqgw.audit.write_errors", metric.WithUnit("{error}"),
		metric.WithDescription("Writes to the audit log that failed, and were tried again."))
	if err := errors.Join(errs[:]...); err != nil {
		return a, fmt.Errorf("audit instruments: %w", err)
	}
	// Both are there from the start: an alert on their increase needs a first value.
	a.dropped.Add(context.Background(), 0)
	a.failed.Add(context.Background(), 0)
	return a, nil
}

// AuditDropped counts audit records that are lost.
func (m *Metrics) AuditDropped(records int) {
	if m != nil {
		m.audit.dropped.Add(context.Background(), int64(records))
	}
}

// AuditWriteFailed counts a write to the audit log that failed.
func (m *Metrics) AuditWriteFailed() {
	if m != nil {
		m.audit.failed.Add(context.Background(), 1)
	}
}
