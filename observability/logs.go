package observability

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode/utf8"
)

// maxLogField bounds every logged string, in bytes: a caller chooses what some
// of them hold.
const maxLogField = 1024

// Stacks of panics are ours, and useless when cut short.
const (
	stackKey    = "stack"
	maxLogStack = 8192
)

// LogOptions configures [NewLogger].
type LogOptions struct {
	Level  slog.Leveler // nil = info; a *slog.LevelVar can change at run time
	Format string       // "json" (default) or "text"
}

// NewLogger returns a logger that writes one line per record to w. Strings are
// capped at 1 KiB and control bytes escaped, so that no record can forge
// another.
func NewLogger(w io.Writer, o LogOptions) (*slog.Logger, error) {
	ho := &slog.HandlerOptions{Level: o.Level, ReplaceAttr: capAttr}
	switch o.Format {
	case "", "json":
		return slog.New(newLineHandler(w, ho)), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, ho)), nil
	default:
		return nil, fmt.Errorf("log format %q is neither json nor text", o.Format)
	}
}

// ParseLevel reads debug, info, warn or error.
func ParseLevel(name string) (slog.Level, error) {
	switch strings.ToLower(name) {
	case "debug":
		return slog.LevelDebug, nil
	case "", "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("log level %q is none of debug, info, warn, error", name)
}

// LibraryLog returns a writer for the lines of libraries. They quote what an
// upstream sent, which may be a token or a customer's data: each line ends
// before its first quotation mark.
func LibraryLog(log *slog.Logger) io.Writer { return libraryLog{log} }

type libraryLog struct{ log *slog.Logger }

// Write implements [io.Writer].
func (l libraryLog) Write(line []byte) (int, error) {
	text, _, quoted := strings.Cut(strings.TrimSpace(string(line)), `"`)
	if quoted {
		text += "…"
	}
	l.log.Warn("library", slog.String("message", text))
	return len(line), nil
}

func capAttr(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		limit := maxLogField
		if a.Key == stackKey {
			limit = maxLogStack
		}
		a.Value = slog.StringValue(capString(a.Value.String(), limit))
	case slog.KindAny:
		if err, ok := a.Value.Any().(error); ok {
			a.Value = slog.StringValue(capString(err.Error(), maxLogField))
		}
	default: // numbers and times are short
	}
	return a
}

func capString(s string, limit int) string {
	if len(s) > limit {
		cut := limit
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
