package observability_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"iqgateway/observability"
)

func refusalOf(caller string) observability.AuditRecord {
	r := refusal("not-allowed")
	r.Caller = caller
	return r
}

// A caller that is refused without end hides no other one, and strangers share
// one bound.
func TestAuditBoundsEachCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &auditSink{}
		a, stop := runAudit(t, observability.AuditOptions{Sink: sink})
		for range 250 {
			a.Note(refusalOf("noisy"))
			a.Note(refusalOf(""))
		}
		a.Note(refusalOf("quiet"))
		stop()
		written, suppressed := map[string]int{}, map[string]int64{}
		for _, r := range sink.records(t) {
			if r.Suppressed > 0 {
				suppressed[r.Caller+" "+r.Reason] = r.Suppressed
				continue
			}
			written[r.Caller]++
		}
		if written["noisy"] != 100 || written[""] != 100 || written["quiet"] != 1 {
			t.Errorf("written %v", written)
		}
		if len(suppressed) != 2 || suppressed["noisy not-allowed"] != 150 || suppressed[" not-allowed"] != 150 {
			t.Errorf("suppressed %v", suppressed)
		}
	})
}

// What nobody has configured is counted in bounded memory all the same.
func TestAuditBoundsWhatItCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &auditSink{}
		a, stop := runAudit(t, observability.AuditOptions{Sink: sink})
		for i := range 3000 {
			a.Note(refusalOf(fmt.Sprint(i)))
		}
		stop()
		records := sink.records(t)
		last := records[len(records)-1]
		if len(records) > 1500 || last.Suppressed == 0 || last.Caller != "" || last.Reason != "" {
			t.Errorf("%d records, the last %+v", len(records), last)
		}
	})
}

// What operators, reloads and rotations change has places that requests cannot
// take, however long nothing is written.
func TestAuditKeepsPlacesForChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &auditSink{failing: errors.New("no space left on device")}
		a, stop := runAudit(t, observability.AuditOptions{Sink: sink, Allowed: observability.AllowedEach})
		a.Note(change("first"))
		synctest.Wait() // it is being written
		for range 5000 {
			a.Note(observability.AuditRecord{Event: observability.AuditRequest, Result: observability.AuditAllowed})
			a.Note(observability.AuditRecord{Event: observability.AuditAdmin, Result: observability.AuditRefused, Reason: "unauthorized"})
		}
		for _, event := range []string{observability.AuditAdmin, observability.AuditCommand, observability.AuditReload, observability.AuditRotation} {
			for range 50 {
				a.Note(observability.AuditRecord{Event: event, Result: observability.AuditChanged})
			}
			a.Note(observability.AuditRecord{Event: event, Result: observability.AuditFailed, Reason: "invalid"})
		}
		sink.set(nil)
		stop()
		kept := map[string]int{}
		for _, r := range sink.records(t) {
			if r.Result == observability.AuditChanged || r.Result == observability.AuditFailed {
				kept[r.Event]++
			}
		}
		for event, want := range map[string]int{"admin": 51, "command": 51, "reload": 51, "rotation": 52} {
			if kept[event] != want {
				t.Errorf("%d records of %s, want %d", kept[event], event, want)
			}
		}
	})
}
