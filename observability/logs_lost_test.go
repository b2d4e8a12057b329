package observability_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/observability"
)

// lose has lines dropped, and the stream take the others.
func lose(to *odd, lines *observability.Lines) {
	blocked := make(chan struct{})
	to.set(func() { to.blocked = blocked })
	for range 20_000 {
		fmt.Fprintln(lines, "x")
	}
	to.set(func() { to.blocked = nil })
	close(blocked)
	synctest.Wait()
}

// However often lines are lost: every ten seconds one line tells of all since the
// last, also when nothing else is logged.
func TestLostLinesAreToldInSum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to, counts := &odd{}, &told{}
		lines, stop := runLines(t, to, observability.LinesOptions{Lost: func(l observability.LinesLost) { counts.lost = append(counts.lost, l) }})
		lines.OnDropped(counts.drop)
		for range 20 {
			lose(to, lines)
			<-time.After(time.Second)
		}
		<-time.After(time.Minute)
		synctest.Wait()
		sum := 0
		for _, lost := range counts.lost {
			sum += lost.Lines
		}
		if n := len(counts.lost); n != 3 || int64(sum) != counts.dropped.Load() {
			t.Errorf("told %d times of %d lines, %d are lost", n, sum, counts.dropped.Load())
		}
		lose(to, lines)
		lose(to, lines)
		if n := len(counts.lost); n != 4 {
			t.Errorf("told %d times", n)
		}
		stop() // not told yet
		if n := len(counts.lost); n != 5 || lines.Left() != 0 {
			t.Errorf("told %d times, %d lines left", n, lines.Left())
		}
	})
}

// A log that cannot be written shows long before anything is lost: in /metrics,
// and where the audit log's records stand in it, in the audit log's numbers.
func TestFailingLogIsMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to, m, failed := &odd{most: 1}, newMetrics(t), 0
		lines, stop := runLines(t, to, observability.LinesOptions{})
		if err := m.ObserveLog(lines.State); err != nil {
			t.Fatal(err)
		}
		value := func(name string) string {
			return seriesOf(scrape(t, m), name)[name+`{signal="logs"}`]
		}
		if n := value("iqgw_telemetry_write_errors_total"); n != "0" {
			t.Errorf("%q failures at the beginning", n)
		}
		audit, stopAudit := runAudit(t, observability.AuditOptions{Sink: observability.AuditTo(lines), Hooks: observability.AuditHooks{WriteFailed: func(error) { failed++ }}})
		fmt.Fprintln(lines, "a line that is longer than what is taken")
		synctest.Wait()
		audit.Note(change("x"))
		synctest.Wait()
		if n, waiting := value("iqgw_telemetry_write_errors_total"), value("iqgw_telemetry_waiting_bytes"); n != "1" || waiting != "40" || failed != 1 {
			t.Errorf("%q failures, %q bytes wait, %d failures of the audit log", n, waiting, failed)
		}
		to.set(func() { to.most = 0 })
		<-time.After(5 * time.Second)
		stopAudit()
		stop()
		if got := to.lines(); len(got) != 2 || len(auditRecords(t, got[1])) != 1 || value("iqgw_telemetry_waiting_bytes") != "0" {
			t.Errorf("%q, %q bytes wait", got, value("iqgw_telemetry_waiting_bytes"))
		}
	})
}

// What the end gives up is told: to the audit log what is its own.
func TestLinesGivenUpAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to, records := &odd{blocked: make(chan struct{}), most: 1}, 0
		lines, stop := runLines(t, to, observability.LinesOptions{})
		audit, stopAudit := runAudit(t, observability.AuditOptions{Sink: observability.AuditTo(lines), Hooks: observability.AuditHooks{Dropped: func(n int) { records += n }}})
		fmt.Fprintln(lines, "a line")
		audit.Note(change("x"))
		audit.Note(change("y"))
		synctest.Wait()
		fmt.Fprintln(lines, "another line")
		if n := lines.Left(); n != 4 {
			t.Errorf("%d lines wait", n)
		}
		stopAudit()
		close(to.blocked)
		stop()
		if records != 2 || lines.Left() != 4 {
			t.Errorf("%d records and %d lines are said to be lost", records, lines.Left())
		}
	})
}
