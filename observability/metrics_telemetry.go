package observability

import (
	"context"

	"go.opentelemetry.io/otel/metric"
)

// Signals of [Metrics.Dropped] and [Metrics.Exported].
const (
	SignalTraces = "traces" // counted in spans
	SignalLogs   = "logs"   // counted in lines
)

// telemetryInstruments count what telemetry itself does.
type telemetryInstruments struct {
	exported, dropped counter
	waiting, failed   observed // of the log
}

func (t *telemetryInstruments) declare(d *declarer) {
	t.exported = d.counter("iqgw.telemetry.exported", "{item}",
		"Spans that a collector has taken.",
		"signal")
	t.dropped = d.counter("iqgw.telemetry.dropped", "{item}",
		"Telemetry that is lost, as what takes it is slow or gone: spans of traces, lines of logs. No request waits for either.",
		"signal", "reason")
	for signal, reasons := range map[string][2]string{SignalTraces: {"queue", "export"}, SignalLogs: {linesFull, linesFailed}} {
		for _, reason := range reasons { // an alert on an increase needs a first value
			t.dropped.add(context.Background(), 0, signal, reason)
		}
	}
	t.waiting = d.level("iqgw.telemetry.waiting", "By",
		"Telemetry that waits to be taken: lines of the log, of which 4 MiB may wait. Anything for longer than seconds: who reads the log is too slow, or it cannot be written.",
		"signal")
	t.failed = d.tally("iqgw.telemetry.write_errors", "{error}",
		"Writes of the log that failed, and were tried again. While it grows lines pile up; iqgw_telemetry_dropped_total says when they are lost.",
		"signal")
}

// Exported counts n items of a signal that reached a collector.
func (m *Metrics) Exported(signal string, n int) {
	if m != nil {
		m.telemetry.exported.add(context.Background(), int64(n), signal)
	}
}

// Dropped counts n items of a signal that are lost for a reason: a word of a closed
// set, as queue or export.
func (m *Metrics) Dropped(signal, reason string, n int) {
	if m != nil {
		m.telemetry.dropped.add(context.Background(), int64(n), signal, reason)
	}
}

// ObserveLog has the log of the process measured.
func (m *Metrics) ObserveLog(read func() LinesState) error {
	if m == nil {
		return nil
	}
	return m.register("the log", func(o metric.Observer) {
		s := read()
		m.telemetry.waiting.is(o, float64(s.Bytes), SignalLogs)
		m.telemetry.failed.is(o, float64(s.Failures), SignalLogs)
	})
}
