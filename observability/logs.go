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
		return slog.New(slog.NewJSONHandler(w, ho)), nil
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

func capAttr(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(capString(a.Value.String()))
	case slog.KindAny:
		if err, ok := a.Value.Any().(error); ok {
			a.Value = slog.StringValue(capString(err.Error()))
		}
	default: // numbers and times are short
	}
	return a
}

func capString(s string) string {
	if len(s) > maxLogField {
		cut := maxLogField
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
