//go:build unix

package observability_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"iqgateway/observability"
)

// auditTo runs an audit log into a file, and counts.
func auditTo(t *testing.T, path string) (a *observability.Audit, stop func(), dropped, failed *atomic.Int64) {
	t.Helper()
	dropped, failed = new(atomic.Int64), new(atomic.Int64)
	a, stop = runAudit(t, observability.AuditOptions{Sink: observability.AuditFile(path), Hooks: observability.AuditHooks{
		Dropped: func(n int) { dropped.Add(int64(n)) }, WriteFailed: func(error) { failed.Add(1) },
	}})
	return a, stop, dropped, failed
}

func written(path, what string) func() bool {
	return func() bool {
		text, _ := os.ReadFile(path)
		return strings.Contains(string(text), `"what":"`+what+`"`)
	}
}

func eventually(t *testing.T, what string, ready func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for !ready() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// A file that a rotation of logs has renamed or removed is made anew, by itself
// or at once when asked to.
func TestAuditFileIsFollowed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	a, stop, dropped, _ := auditTo(t, path)
	a.Note(change("first"))
	eventually(t, "the first record", written(path, "first"))
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	a.Reopen()
	a.Note(change("second"))
	eventually(t, "the second record", written(path, "second"))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a record in a new file", func() bool {
		a.Note(change("third"))
		return written(path, "third")()
	})
	stop()
	if !written(path+".1", "first")() || written(path, "first")() || dropped.Load() != 0 {
		t.Errorf("the first is not where it was written, or %d dropped", dropped.Load())
	}
}

func TestSEC62AuditOntoAFullDevice(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("this system has no /dev/full")
	}
	a, stop, dropped, failed := auditTo(t, "/dev/full")
	for range 10 {
		a.Note(change("x"))
	}
	eventually(t, "a failed write", func() bool { return failed.Load() > 0 })
	stop()
	if dropped.Load() != 10 {
		t.Errorf("%d dropped of 10", dropped.Load())
	}
}

// A pipe that nobody opens to read fails; one that nobody reads does as soon as
// it is full; once somebody reads, everything that is queued comes whole.
func TestSEC62AuditIntoAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	a, stop, dropped, failed := auditTo(t, path)
	a.Note(change("first"))
	eventually(t, "a failed write", func() bool { return failed.Load() > 0 })
	reader, err := os.OpenFile(path, os.O_RDWR, 0) // so that it does not wait for a writer
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	long := strings.Repeat("x", 1000)
	for range 500 { // half a megabyte, where a pipe holds 64 KiB
		a.Note(change(long))
	}
	before := failed.Load()
	eventually(t, "a write into the full pipe", func() bool { return failed.Load() > before+1 })
	var text strings.Builder
	buffer := make([]byte, 64<<10)
	for strings.Count(text.String(), "\n") < 501 {
		if err := reader.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := reader.Read(buffer)
		if err != nil {
			t.Fatalf("after %d records: %v", strings.Count(text.String(), "\n"), err)
		}
		text.Write(buffer[:n])
	}
	stop()
	if records := auditRecords(t, text.String()); len(records) != 501 || records[0].What != "first" || dropped.Load() != 0 {
		t.Errorf("%d records, %d dropped", len(records), dropped.Load())
	}
}

// orderedSink notes in what order it is asked.
type orderedSink struct{ asked []string }

// Write implements [observability.AuditSink].
func (o *orderedSink) Write(lines []byte) (int, error) {
	o.asked = append(o.asked, "write")
	return len(lines), nil
}

// Follow implements [observability.AuditSink].
func (o *orderedSink) Follow(bool) bool {
	o.asked = append(o.asked, "follow")
	return true
}

// Close implements [observability.AuditSink].
func (o *orderedSink) Close() error { return nil }

// What is noted after a file was moved away goes into the new one, whichever of the
// two is heard of first.
func TestAuditReopensBeforeItWrites(t *testing.T) {
	for range 20 {
		sink := &orderedSink{}
		a, err := observability.NewAudit(observability.AuditOptions{Sink: sink, Replica: "r1"})
		if err != nil {
			t.Fatal(err)
		}
		a.Reopen()
		a.Note(change("moved"))
		ctx, stop := context.WithCancel(t.Context())
		stopped := make(chan struct{})
		go func() { defer close(stopped); a.Run(ctx) }()
		stop()
		<-stopped
		if len(sink.asked) == 0 || sink.asked[0] != "follow" {
			t.Fatalf("asked to %q", sink.asked)
		}
	}
}
