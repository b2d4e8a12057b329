package observability_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/observability"
)

// odd is a stream that keeps what is written, unless it has to wait, or takes
// only so much of each write before it fails.
type odd struct {
	mu      sync.Mutex
	text    bytes.Buffer
	writes  int
	blocked chan struct{} // writes wait until it is closed; nil = they do not
	most    int           // of each write, which then fails; 0 = all
}

var errFull = errors.New("no space left on device")

func (o *odd) Write(b []byte) (int, error) {
	o.mu.Lock()
	blocked, most := o.blocked, o.most
	o.mu.Unlock()
	if blocked != nil {
		<-blocked
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writes++
	if most > 0 && len(b) > most {
		o.text.Write(b[:most])
		return most, errFull
	}
	return o.text.Write(b)
}

func (o *odd) set(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
}

func (o *odd) lines() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.SplitAfter(strings.TrimSuffix(o.text.String(), "\n"), "\n")
}

// runLines writes lines into a stream until stop is called.
func runLines(t testing.TB, to *odd, o observability.LinesOptions) (lines *observability.Lines, stop func()) {
	t.Helper()
	lines = observability.NewLines(to, o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); lines.Run(ctx) }()
	return lines, func() { cancel(); <-done }
}

// Whoever logs, however many at once: each line comes whole, once, and in the
// order of its writer.
func TestLinesComeWholeAndInOrder(t *testing.T) {
	t.Parallel()
	const writers, each = 8, 1000
	to := &odd{}
	lines, stop := runLines(t, to, observability.LinesOptions{})
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				fmt.Fprintf(lines, "%d %d %s\n", w, i, strings.Repeat("x", i%300*(1+i%7%2*40)))
				if i%20 == 0 { // so that there is room for all
					lines.Flush(time.Minute)
				}
			}
		})
	}
	all.Wait()
	stop()
	next, got := [writers]int{}, to.lines()
	for _, line := range got {
		var w, i int
		if _, err := fmt.Sscan(line, &w, &i); err != nil || next[w] != i || strings.Trim(line, "0123456789 x\n") != "" {
			t.Fatalf("%v in %.100q, want number %d", err, line, next[w])
		}
		next[w]++
	}
	if len(got) != writers*each {
		t.Errorf("%d lines", len(got))
	}
	if to.writes >= writers*each {
		t.Errorf("%d writes of %d lines", to.writes, len(got))
	}
}

// A quiet log is written at once, and by its end.
func TestLinesOfAQuietLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &odd{}
		lines, stop := runLines(t, to, observability.LinesOptions{})
		fmt.Fprintln(lines, "first")
		synctest.Wait()
		if got := to.lines(); len(got) != 1 || got[0] != "first" {
			t.Errorf("%q", got)
		}
		fmt.Fprintln(lines, "last")
		stop()
		if got := to.lines(); len(got) != 2 || !lines.Flush(time.Second) {
			t.Errorf("%q", got)
		}
	})
}

// told counts what a log loses.
type told struct {
	dropped atomic.Int64
	lost    []observability.LinesLost
}

func (d *told) drop(_ string, n int) { d.dropped.Add(int64(n)) }

// A stream that takes nothing stops nobody. What finds no room is counted, and
// told once, with the time in which it was lost.
func TestLinesIntoABlockedStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to, counts := &odd{blocked: make(chan struct{})}, &told{}
		lines, stop := runLines(t, to, observability.LinesOptions{Lost: func(l observability.LinesLost) { counts.lost = append(counts.lost, l) }})
		lines.OnDropped(counts.drop)
		const all = 20_000
		begun := time.Now()
		for i := range all {
			fmt.Fprintf(lines, "%d %s\n", i, strings.Repeat("x", 500))
			if i == all/2 {
				<-time.After(time.Minute)
			}
		}
		if took := time.Since(begun); took != time.Minute {
			t.Errorf("logging has taken %s", took-time.Minute)
		}
		if lines.Flush(time.Second) {
			t.Error("all is said to be written")
		}
		close(to.blocked)
		synctest.Wait()
		stop()
		got := to.lines()
		if n := int64(len(got)) + counts.dropped.Load(); n != all || counts.dropped.Load() == 0 {
			t.Errorf("%d written, %d dropped", len(got), counts.dropped.Load())
		}
		if len(counts.lost) != 1 || int64(counts.lost[0].Lines) != counts.dropped.Load() || counts.lost[0].Reason != "queue" ||
			counts.lost[0].Last.Sub(counts.lost[0].First) != time.Minute {
			t.Errorf("told of %+v", counts.lost)
		}
	})
}

// What others have filled up has room for errors and audit records.
func TestLinesKeepAReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to, counts := &odd{blocked: make(chan struct{})}, &told{}
		lines, stop := runLines(t, to, observability.LinesOptions{})
		lines.OnDropped(counts.drop)
		log, err := observability.NewLogger(lines, observability.LogOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for range 20_000 {
			log.Info("request", slog.String("pad", strings.Repeat("x", 500)))
		}
		before := counts.dropped.Load()
		audit, stopAudit := runAudit(t, observability.AuditOptions{Sink: observability.AuditTo(lines)})
		for range 100 {
			audit.Note(change("x"))
			log.Error("an error", slog.String("not", "plain\n"))
			log.With(slog.String("who", "x")).Error("an error of a logger with attributes")
		}
		stopAudit()
		if lost := counts.dropped.Load() - before; before == 0 || lost != 0 {
			t.Errorf("%d requests dropped, and then %d others", before, lost)
		}
		close(to.blocked)
		stop()
		text := strings.Join(to.lines(), "")
		if a, b := strings.Count(text, `"log":"audit"`), strings.Count(text, `"msg":"an error`); a != 100 || b != 200 {
			t.Errorf("%d audit records and %d errors", a, b)
		}
	})
}

// Audit records that find no room at all wait in the audit log's own queue.
func TestAuditWaitsForRoomAmongLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to, counts := &odd{blocked: make(chan struct{})}, &told{}
		lines, stop := runLines(t, to, observability.LinesOptions{})
		audit, stopAudit := runAudit(t, observability.AuditOptions{Sink: observability.AuditTo(lines), Hooks: observability.AuditHooks{
			Dropped: func(n int) { counts.drop("", n) },
		}})
		long := strings.Repeat("x", 1000)
		for range 4000 { // of a kilobyte and more, where there is room for 3.5 MiB
			audit.Note(change(long))
		}
		synctest.Wait()
		close(to.blocked)
		<-time.After(5 * time.Second)
		stopAudit()
		stop()
		if n := len(auditRecords(t, strings.Join(to.lines(), ""))); n != 4000 || counts.dropped.Load() != 0 {
			t.Errorf("%d records, %d dropped", n, counts.dropped.Load())
		}
	})
}

// What was written in part goes on where it has ended: no line is torn, lost or
// there twice, whatever fails in between.
func TestLinesAfterFailedWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &odd{most: 7}
		lines, stop := runLines(t, to, observability.LinesOptions{})
		var want []string
		for i := range 20 {
			line := fmt.Sprintf("%d %s\n", i, strings.Repeat("x", i*10))
			want = append(want, line)
			fmt.Fprint(lines, line)
		}
		<-time.After(time.Minute)
		to.set(func() { to.most = 0 })
		<-time.After(time.Minute)
		stop()
		if got := to.lines(); strings.Join(got, "")+"\n" != strings.Join(want, "") {
			t.Errorf("%q", got)
		}
	})
}

// The end waits for no stream that fails.
func TestLinesEndWithoutAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to, counts := &odd{most: 3}, &told{}
		lines, stop := runLines(t, to, observability.LinesOptions{})
		lines.OnDropped(counts.drop)
		fmt.Fprintln(lines, "a line that is longer than what is taken")
		fmt.Fprintln(lines, "another one")
		begun := time.Now()
		stop()
		fmt.Fprintln(lines, "too late")
		if took := time.Since(begun); took > 2*time.Second || counts.dropped.Load() != 3 {
			t.Errorf("the end has taken %s, %d dropped", took, counts.dropped.Load())
		}
	})
}

// A stream that panics is tried again, as one that fails.
func TestLinesIntoAStreamThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		panics, toldOf := 2, 0
		lines := observability.NewLines(writerFunc(func(b []byte) (int, error) {
			if panics > 0 {
				panics--
				panic("a stream")
			}
			return text.Write(b)
		}), observability.LinesOptions{Panicked: func(any, []byte) { toldOf++ }})
		fmt.Fprintln(lines, "a line")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		lines.Run(ctx)
		if text.String() != "a line\n" || toldOf != 2 {
			t.Errorf("%q, told of %d panics", text.String(), toldOf)
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// A line costs whoever logs it no memory.
func TestLinesAllocateNothing(t *testing.T) {
	lines, stop := runLines(t, &odd{}, observability.LinesOptions{})
	defer stop()
	line := []byte(strings.Repeat("x", 400) + "\n")
	if n := testing.AllocsPerRun(1000, func() { _, _ = lines.Write(line) }); n > 0.5 {
		t.Errorf("%.1f allocations", n)
	}
}

// BenchmarkLines is what an access line costs whoever leaves it, into a file:
// by a write of its own, and by Lines.
func BenchmarkLines(b *testing.B) {
	for name, through := range map[string]func(*testing.B, *os.File) io.Writer{
		"direct": func(_ *testing.B, f *os.File) io.Writer { return f },
		"lines": func(b *testing.B, f *os.File) io.Writer {
			lines := observability.NewLines(f, observability.LinesOptions{})
			go lines.Run(b.Context())
			return lines
		},
	} {
		b.Run(name, func(b *testing.B) {
			file, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
			if err != nil {
				b.Fatal(err)
			}
			log, err := observability.NewLogger(through(b, file), observability.LogOptions{})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					log.LogAttrs(b.Context(), slog.LevelInfo, "request", slog.String("route", "/sim/crm/v1/Companies({company})/Customers**"), slog.Int("status", 200))
				}
			})
		})
	}
}
