package observability_test

import (
	"strings"
	"testing"
)

// An alert on an increase needs a first value, before anything is lost.
func TestWhatMayBeLostIsCountedFromTheStart(t *testing.T) {
	text := scrape(t, newMetrics(t))
	for _, want := range []string{
		`iqgw_telemetry_dropped_total{reason="queue",signal="traces"} 0`, `iqgw_telemetry_dropped_total{reason="export",signal="traces"} 0`,
		`iqgw_telemetry_dropped_total{reason="queue",signal="logs"} 0`, `iqgw_telemetry_dropped_total{reason="write",signal="logs"} 0`,
		"iqgw_audit_dropped_total 0", "iqgw_panics_total 0",
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("%s is missing", want)
		}
	}
}
