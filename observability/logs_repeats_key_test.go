package observability_test

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"

	"iqgateway/observability"
)

// throw panics at a place of its own.
func throw(value any) { panic(value) }

// fail panics at another one.
func fail(value any) { panic(value) }

// caught returns what a log says of a panic.
func caught(f func(any), value any) (attrs []slog.Attr) {
	defer func() { attrs = observability.PanicAttrs(recover(), debug.Stack()) }()
	f(value)
	return nil
}

// A panic is another event when its value is, or where it was thrown; what only
// differs in numbers is the same.
func TestRepeatsHideNoOtherPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, text, stop := repeating(t)
		defer stop()
		panicked := func(attrs []slog.Attr) { log.LogAttrs(t.Context(), slog.LevelError, "panic in a stage", attrs...) }
		for i := range 20 {
			panicked(caught(throw, fmt.Sprintf("index out of range [%d]", i)))
		}
		panicked(caught(throw, "nil map"))
		panicked(caught(fail, "index out of range [0]"))
		for what, want := range map[string]int{`"panic":"index`: 11, `"panic":"nil map"`: 1} {
			if n := strings.Count(text(), what); n != want {
				t.Errorf("%d lines of %s, want %d\n%s", n, what, want, text())
			}
		}
	})
}

// What libraries write is told apart by its text, up to what differs each time.
func TestRepeatsHideNoOtherMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, text, stop := repeating(t)
		for i := range 50 {
			for _, client := range []string{"10.0.0.%d:40", "[fe80::%d]:40", "[::%d]:40"} {
				log.Warn("http server", slog.String("message", fmt.Sprintf("http2: server: error reading preface from client "+client+": bogus greeting", i)))
			}
		}
		log.Warn("http server", slog.String("message", "http2: received GOAWAY"))
		log.Warn("http server", slog.String("message", "http: Accept error: accept tcp 127.0.0.1:80: accept4: too many open files; retrying in 5ms"))
		log.Warn("library", slog.String("message", "Unsolicited response"))
		for what, want := range map[string]int{"preface from client": 10, "GOAWAY": 1, "too many open files": 1, "Unsolicited": 1} {
			if n := strings.Count(text(), what); n != want {
				t.Errorf("%d lines of %s, want %d\n%s", n, what, want, text())
			}
		}
		stop()
		if n := strings.Count(text(), `"message":"http2: server: error reading preface from client "`); n != 1 {
			t.Errorf("the summaries do not say of what\n%s", text())
		}
	})
}

// What the level hides when it is told is not written, as what it hides when it
// happens.
func TestRepeatsAreToldByLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		level := new(slog.LevelVar)
		log, text, stop := repeatingAt(t, level)
		for range 11 {
			log.Info("detail")
			log.Error("trouble")
		}
		level.Set(slog.LevelError)
		stop()
		if strings.Contains(text(), "detail … repeated") || !strings.Contains(text(), "trouble … repeated 1 time") {
			t.Errorf("\n%s", text())
		}
	})
}
