package observability_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/observability"
)

// auditSink keeps what is written, unless it has to fail or to wait.
type auditSink struct {
	mu      sync.Mutex
	lines   bytes.Buffer
	failing error
	blocked chan struct{} // a write waits until it is closed; nil = it does not
	closed  bool
}

func (s *auditSink) Write(lines []byte) (int, error) {
	s.mu.Lock()
	failing, blocked := s.failing, s.blocked
	s.mu.Unlock()
	if blocked != nil {
		<-blocked
	}
	if failing != nil {
		return 0, failing
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lines.Write(lines)
}

func (s *auditSink) Follow(bool) bool { return false }

func (s *auditSink) Close() error { s.closed = true; return nil }

func (s *auditSink) set(failing error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = failing
}

func (s *auditSink) records(t testing.TB) []observability.AuditRecord {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	return auditRecords(t, s.lines.String())
}

// auditRecords reads lines of an audit log, each of which has to be one record.
func auditRecords(t testing.TB, text string) []observability.AuditRecord {
	t.Helper()
	var records []observability.AuditRecord
	for line := range strings.Lines(text) {
		var r observability.AuditRecord
		dec := json.NewDecoder(strings.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&r); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if r.Log != "audit" || r.Seq == 0 || r.Time.IsZero() {
			t.Errorf("no mark, number or time in %s", line)
		}
		records = append(records, r)
	}
	return records
}

// runAudit runs a log until stop is called.
func runAudit(t testing.TB, o observability.AuditOptions) (a *observability.Audit, stop func()) {
	t.Helper()
	a, err := observability.NewAudit(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); a.Run(ctx) }()
	return a, func() { cancel(); <-done }
}

func refusal(reason string) observability.AuditRecord {
	return observability.AuditRecord{Event: observability.AuditRequest, Result: observability.AuditRefused, Reason: reason}
}

func change(what string) observability.AuditRecord {
	return observability.AuditRecord{Event: observability.AuditRotation, Result: observability.AuditChanged, What: what}
}

func TestAuditRecordsAreNumbered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &auditSink{}
		a, stop := runAudit(t, observability.AuditOptions{Sink: sink, Replica: "q7x"})
		for i := range 5 {
			a.Note(change(fmt.Sprint(i)))
		}
		stop()
		for i, r := range sink.records(t) {
			if r.Seq != uint64(i+1) || r.What != fmt.Sprint(i) || r.Replica != "q7x" {
				t.Errorf("record %d: %+v", i, r)
			}
		}
		if n := len(sink.records(t)); n != 5 || !sink.closed {
			t.Errorf("%d records at the end, closed: %t", n, sink.closed)
		}
	})
}

// A flood of refusals leaves a hundred records a second for each reason, and how
// many there were beside them; changes are never left out.
func TestAuditBoundsRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &auditSink{}
		a, stop := runAudit(t, observability.AuditOptions{Sink: sink})
		for range 250 {
			a.Note(refusal("unknown"))
			a.Note(change("x"))
		}
		a.Note(refusal("expired"))
		time.Sleep(3 * time.Second) //nolint:forbidigo // in a bubble: no time passes
		a.Note(refusal("unknown"))
		stop()
		written, suppressed, changes := map[string]int{}, int64(0), 0
		for _, r := range sink.records(t) {
			switch {
			case r.Suppressed > 0:
				suppressed += r.Suppressed
			case r.Result == observability.AuditRefused:
				written[r.Reason]++
			default:
				changes++
			}
		}
		if written["unknown"] != 101 || written["expired"] != 1 || suppressed != 150 || changes != 250 {
			t.Errorf("written %v, suppressed %d, changes %d", written, suppressed, changes)
		}
	})
}

// A full disk stops nobody: writes are tried again, what does not fit into the
// queue is lost and counted, and its numbers are missing.
func TestSEC62AuditSurvivesAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &auditSink{failing: errors.New("no space left on device")}
		var dropped, failed atomic.Int64
		a, stop := runAudit(t, observability.AuditOptions{Sink: sink, Hooks: observability.AuditHooks{
			Dropped: func(n int) { dropped.Add(int64(n)) }, WriteFailed: func(error) { failed.Add(1) },
		}})
		const all = 10_000
		a.Note(change("first"))
		synctest.Wait()
		for range all - 1 {
			a.Note(change("x"))
		}
		time.Sleep(5 * time.Second) //nolint:forbidigo // in a bubble: no time passes
		if failed.Load() < 3 {
			t.Errorf("%d writes have failed", failed.Load())
		}
		sink.set(nil)
		time.Sleep(2 * time.Second) //nolint:forbidigo // in a bubble: no time passes
		stop()
		records := sink.records(t)
		if got := int64(len(records)) + dropped.Load(); got != all || dropped.Load() == 0 {
			t.Errorf("%d written and %d dropped of %d", len(records), dropped.Load(), all)
		}
		if last := records[len(records)-1]; last.Seq > all || records[0].What != "first" {
			t.Errorf("from %+v to %+v", records[0], last)
		}
	})
}

// A sink that never comes back keeps neither those who note nor the end.
func TestSEC62AuditSurvivesABlockedSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &auditSink{blocked: make(chan struct{})}
		var dropped atomic.Int64
		a, stop := runAudit(t, observability.AuditOptions{Sink: sink, Hooks: observability.AuditHooks{
			Dropped: func(n int) { dropped.Add(int64(n)) },
		}})
		begun := time.Now()
		for range 5000 {
			a.Note(change("x"))
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("noting has taken %s", took)
		}
		stop()
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("the end has taken %s", took)
		}
		if dropped.Load() != 5000 {
			t.Errorf("%d counted as dropped", dropped.Load())
		}
		close(sink.blocked)
	})
}

// SEC-33: whatever others choose, each record is one line of JSON, without
// control characters, and bounded.
func TestSEC33AuditRecordsCannotBeForged(t *testing.T) {
	hostile := []string{
		"\n{\"log\":\"audit\",\"seq\":1}", "\u001b[2J", "\u2028\u2029", "\u009b31m\u007f", "\xff\xfe", strings.Repeat("x", 100_000), `"}`,
	}
	sink := &auditSink{}
	a, stop := runAudit(t, observability.AuditOptions{Sink: sink})
	for _, text := range hostile {
		a.Note(observability.AuditRecord{
			Event: observability.AuditRequest, Result: observability.AuditRefused, Reason: "unknown",
			Claimed: text, Peer: text, Service: text, What: text, Details: map[string]string{"why": text},
		})
	}
	stop()
	if n := len(sink.records(t)); n != len(hostile) {
		t.Errorf("%d records, want %d", n, len(hostile))
	}
	for line := range strings.Lines(sink.lines.String()) {
		if len(line) > 8<<10 || strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
			t.Errorf("a line of %d bytes: %.200q", len(line), line)
		}
	}
}

func TestAuditOfNothing(t *testing.T) {
	var none *observability.Audit
	none.Note(refusal("unknown"))
	none.Reopen()
	if _, err := observability.NewAudit(observability.AuditOptions{Allowed: "all"}); err == nil {
		t.Error("no error for what is none of the choices")
	}
}
