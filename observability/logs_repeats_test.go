package observability_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/observability"
)

// repeating runs a log that bounds what repeats.
func repeating(t *testing.T) (log *slog.Logger, written func() string, stop func()) {
	t.Helper()
	return repeatingAt(t, slog.LevelInfo)
}

func repeatingAt(t *testing.T, level slog.Leveler) (log *slog.Logger, written func() string, stop func()) {
	t.Helper()
	text, repeats := new(odd), observability.NewRepeats()
	log, err := observability.NewLogger(text, observability.LogOptions{Level: level, Repeats: repeats})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); repeats.Run(ctx) }()
	return log, func() string { synctest.Wait(); return strings.Join(text.lines(), "") }, func() { cancel(); <-done }
}

// An event is written ten times a minute, whatever its times and ids; then one
// line tells how often it was repeated.
func TestRepeatsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, text, stop := repeating(t)
		written := func(what string) int { return strings.Count(text(), what) }
		for i := range 1000 {
			for _, credential := range []string{"retail", "wholesale"} {
				if credential == "wholesale" && i%100 > 0 { // ten of this one
					continue
				}
				log.Error("no token", slog.String("credential", credential), slog.Int("duration_ms", i), slog.String("error", fmt.Sprint(i)))
			}
		}
		if n := written(`"credential":"retail"`); n != 10 || !strings.Contains(text(), `"error":"0"`) {
			t.Errorf("%d lines\n%s", n, text())
		}
		<-time.After(62 * time.Second)
		const once = `"level":"ERROR","msg":"no token … repeated 990 times","credential":"retail","repeated":990,`
		if written(once) != 1 || written("repeated") != 2 || written(`"wholesale"`) != 10 {
			t.Errorf("\n%s", text())
		}
		for range 11 {
			log.Error("no token", slog.String("credential", "retail"))
		}
		if n := written(`"msg":"no token","credential":"retail"`); n != 20 {
			t.Errorf("%d lines in the two minutes\n%s", n, text())
		}
		stop()
		if written(`"msg":"no token … repeated 1 time","credential":"retail"`) != 1 {
			t.Errorf("the end tells nothing of the last\n%s", text())
		}
	})
}

// Level, message, and what an event is about tell events apart; a logger's own
// attributes count as well.
func TestRepeatsOfDifferentEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, text, stop := repeating(t)
		defer stop()
		for range 11 {
			log.Info("a")
			log.Warn("a")
			log.Info("b", slog.String("bucket", "x"))
			log.Info("b", slog.String("bucket", "y"))
			log.With(slog.String("service", "crm")).Info("a")
			log.WithGroup("g").Info("a")
		}
		if n := strings.Count(text(), `"msg":`); n != 60 {
			t.Errorf("%d lines, want 10 of each of 6 events\n%s", n, text())
		}
	})
}

// However many events there are: memory is bounded, what is new is written, and
// what had to make room is told.
func TestRepeatsOfManyEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, text, stop := repeating(t)
		for range 15 {
			log.Warn("first")
		}
		for i := range 5000 {
			log.Error(fmt.Sprintf("event %d %s", i, strings.Repeat("x", 10_000)))
		}
		if n := strings.Count(text(), `"msg":"event`); n != 5000 {
			t.Errorf("%d lines of 5000 events", n)
		}
		if n := strings.Count(text(), "first … repeated 5 times"); n != 1 {
			t.Errorf("the first event is told of %d times", n)
		}
		stop()
	})
}

// Access lines are no events.
func TestAccessLinesAreAllWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, text, stop := repeating(t)
		defer stop()
		serveTimes(t, log, 50)
		if n := strings.Count(text(), `"msg":"request"`); n != 50 {
			t.Errorf("%d access lines of 50", n)
		}
	})
}
