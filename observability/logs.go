package observability

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxLogField bounds every logged string, in bytes: a caller chooses what some
// of them hold. Lists hold so many bytes, and texts, at most.
const (
	maxLogField = 1024
	maxLogList  = 8192
	maxLogTexts = 1000
)

// Stacks of panics are ours, and useless when cut short.
const (
	stackKey    = "stack"
	maxLogStack = 8192
)

// Keys of texts that are not ours.
const (
	panicKey   = "panic"
	libraryKey = "message" // what net/http or another library writes
)

// LogOptions configures [NewLogger].
type LogOptions struct {
	Level   slog.Leveler // nil = info; a [*LogLevel] can change at run time
	Format  string       // "json" (default) or "text"
	Repeats *Repeats     // bounds events that repeat; nil = each is written
}

// NewLogger returns a logger that writes one line per record to w, which may be
// [*Lines]. Strings are capped at 1 KiB and control bytes escaped, so that no
// record can forge another. Records whose context carries an exchange name it.
func NewLogger(w io.Writer, o LogOptions) (*slog.Logger, error) {
	ho := &slog.HandlerOptions{Level: o.Level, ReplaceAttr: capAttr}
	var h slog.Handler
	switch o.Format {
	case "", "json":
		h = newLineHandler(w, ho)
	case "text":
		to := takerOf(w)
		h = byClass{slog.NewTextHandler(classWriter{to, ordinaryLine}, ho), slog.NewTextHandler(classWriter{to, errorLine}, ho)}
	default:
		return nil, fmt.Errorf("log format %q is neither json nor text", o.Format)
	}
	return slog.New(inExchange{o.Repeats.handler(h)}), nil
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
	l.log.Warn("library", slog.String(libraryKey, text))
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
		switch v := a.Value.Any().(type) {
		case error:
			a.Value = slog.StringValue(capString(v.Error(), maxLogField))
		case []string:
			a.Value = slog.AnyValue(capList(v))
		}
	default: // numbers and times are short
	}
	return a
}

// capList caps the texts of a list, and all of them together.
func capList(list []string) []string {
	capped, room := []string{}, maxLogList
	for i, s := range list {
		s = capString(s, maxLogField)
		if room -= len(s); room < 0 || i == maxLogTexts {
			return append(capped, fmt.Sprintf("… and %d more", len(list)-i))
		}
		capped = append(capped, s)
	}
	return capped
}

// capString caps a text and keeps it from steering a terminal: JSON escapes no
// control characters beyond ASCII's first.
func capString(s string, limit int) string {
	if len(s) > limit {
		cut := limit
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r >= ' ' && unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
