package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"iqgateway/config"
	"iqgateway/internal/steady"
	"iqgateway/observability"
)

// logFarewell bounds how long the end of a process waits for its last lines, and
// lastWords for telling how many are left.
const (
	logFarewell = time.Second
	lastWords   = 100 * time.Millisecond
)

// processLog is the log of a gateway that is a process: nothing waits for who
// reads it.
type processLog struct {
	*slog.Logger

	level   *observability.LogLevel
	lines   *observability.Lines
	repeats *observability.Repeats
	each    *slog.Logger // leaves no repeats out
}

// openLog makes the log. It writes once it runs.
func openLog(stdout io.Writer, cfg config.Logs) (*processLog, error) {
	level, err := observability.ParseLevel(cfg.Level)
	if err != nil {
		return nil, configError{err}
	}
	l := &processLog{repeats: observability.NewRepeats()}
	l.level = observability.NewLogLevel(level, l.levelIsBack)
	l.lines = observability.NewLines(stdout, observability.LinesOptions{Lost: l.lost, Panicked: l.panicked})
	o := observability.LogOptions{Level: l.level, Format: cfg.Format}
	if l.each, err = observability.NewLogger(l.lines, o); err != nil {
		return nil, configError{err}
	}
	o.Repeats = l.repeats
	if l.Logger, err = observability.NewLogger(l.lines, o); err != nil {
		return nil, configError{err}
	}
	return l, nil
}

// run writes until end is called, which waits a moment for what is left, and
// tells stderr how much of that nobody took.
func (l *processLog) run(stderr io.Writer) (end func()) {
	ctx, stop := context.WithCancel(context.Background())
	writing, cancel := context.WithCancel(context.Background())
	var counting sync.WaitGroup
	counting.Go(func() { steady.Keep(ctx, l.repeats.Run, l.panicked) })
	written := make(chan struct{})
	go func() {
		defer close(written)
		steady.Keep(writing, l.lines.Run, l.panicked)
	}()
	return func() {
		l.level.Stop()
		stop()
		counting.Wait() // it writes nothing itself
		farewell := time.NewTimer(logFarewell)
		defer farewell.Stop()
		l.lines.Flush(logFarewell) // what fails is tried again
		cancel()
		select {
		case <-written:
		case <-farewell.C: // nobody takes the last ones
		}
		tellLeft(stderr, l.lines.Left())
	}
}

// tellLeft tells how many lines nobody will read. It does not wait for long: who
// reads stderr may be the same.
func tellLeft(stderr io.Writer, lines int) {
	if lines == 0 {
		return
	}
	told := make(chan struct{})
	go steady.Try(func() {
		defer close(told)
		fmt.Fprintf(stderr, "lines of the log that could not be written before the end: %d\n", lines)
	}, nil)
	timer := time.NewTimer(lastWords)
	defer timer.Stop()
	select {
	case <-told:
	case <-timer.C:
	}
}

// measure has lines counted that are lost, and what keeps them from being written
// seen.
func (l *processLog) measure(m *observability.Metrics) error {
	l.lines.OnDropped(func(reason string, lines int) { m.Dropped(observability.SignalLogs, reason, lines) })
	return m.ObserveLog(l.lines.State)
}

func (l *processLog) lost(lost observability.LinesLost) {
	l.each.LogAttrs(context.Background(), slog.LevelError, "lines of this log are missing: who reads it is too slow, or it could not be written",
		slog.Int("lines", lost.Lines), slog.String("reason", lost.Reason), slog.Time("since", lost.First), slog.Time("until", lost.Last),
		milliseconds("duration_ms", lost.Last.Sub(lost.First)))
}

func (l *processLog) levelIsBack(s observability.LogLevelState) {
	l.LogAttrs(context.Background(), slog.LevelWarn, "the level of the log is the configured one again", slog.String("level", s.Level))
}

func (l *processLog) panicked(value any, stack []byte) {
	l.LogAttrs(context.Background(), slog.LevelError, "panic in the log", observability.PanicAttrs(value, stack)...)
}
