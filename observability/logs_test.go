package observability_test

import (
	"io"
	"log"
	"log/slog"
	"strings"
	"testing"

	"iqgateway/observability"
)

func TestParseLevel(t *testing.T) {
	for name, want := range map[string]slog.Level{"": slog.LevelInfo, "debug": slog.LevelDebug, "WARN": slog.LevelWarn, "error": slog.LevelError} {
		if got, err := observability.ParseLevel(name); err != nil || got != want {
			t.Errorf("%q: %v, %v", name, got, err)
		}
	}
	if _, err := observability.ParseLevel("loud"); err == nil || !strings.Contains(err.Error(), `"loud"`) {
		t.Errorf("an unknown level gives %v", err)
	}
}

// net/http quotes what upstreams send.
func TestLibraryLogQuotesNothing(t *testing.T) {
	var text strings.Builder
	logger, err := observability.NewLogger(&text, observability.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	lines := log.New(observability.LibraryLog(logger), "", 0)
	lines.Printf("Unsolicited response received on idle HTTP channel starting with %q; err=%v", `{"access_token":"canary"}`, nil)
	if got := text.String(); strings.Contains(got, "canary") || !strings.Contains(got, "Unsolicited response received on idle HTTP channel starting with …") {
		t.Errorf("log: %s", got)
	}
}

func TestLogFormat(t *testing.T) {
	if _, err := observability.NewLogger(io.Discard, observability.LogOptions{Format: "xml"}); err == nil {
		t.Error("format xml was accepted")
	}
	var text strings.Builder
	logger, err := observability.NewLogger(&text, observability.LogOptions{Format: "text"})
	if err != nil {
		t.Fatal(err)
	}
	logger.Debug("hidden")
	logger.Info("shown", slog.String("long", strings.Repeat("é", 2000)))
	if strings.Contains(text.String(), "hidden") || !strings.Contains(text.String(), "msg=shown") || len(text.String()) > 1300 {
		t.Errorf("%d bytes: %.80s", text.Len(), text.String())
	}
}

// The texts of a list are bounded as others are, and all of them together.
func TestLogOfLists(t *testing.T) {
	many := make([]string, 100_000)
	for i := range many {
		many[i] = strings.Repeat("x", 100)
	}
	for _, format := range []string{"json", "text"} {
		for want, list := range map[string][]string{
			"\uFFFD31m":        {"a", "\u009b31m"},
			"next":             {strings.Repeat("é", 20_000), "next"},
			"… and 99919 more": many,
		} {
			var text strings.Builder
			logger, err := observability.NewLogger(&text, observability.LogOptions{Format: format})
			if err != nil {
				t.Fatal(err)
			}
			logger.Info("reloaded", slog.Any("changed", list))
			if got := text.String(); len(got) > 10_000 || strings.Contains(got, "\u009b") || !strings.Contains(got, want) {
				t.Errorf("%s: %d bytes without %q: %.200q", format, len(got), want, got)
			}
		}
	}
	if want := strings.Repeat("x", 100); many[99_999] != want {
		t.Error("the list itself was changed")
	}
}
