package certs

import (
	"context"
	"log/slog"
	"slices"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// newZap returns the logger that the ACME client wants, which writes to log. The
// client is talkative: what it does is for debugging, what it cannot do is a
// warning, and what it means for a certificate our own events tell.
func newZap(log *slog.Logger) *zap.Logger { return zap.New(zapCore{log: log}) }

// zapCore implements zapcore.Core over slog.
type zapCore struct {
	log   *slog.Logger
	attrs []slog.Attr
}

// byStrangers are messages that anybody on the network can have written as often
// as they like: challenges that there are none of. What the CA did not find is
// the error of the order.
func byStrangers(message string) bool {
	return message == "tls-alpn challenge" || message == "looking up info for HTTP challenge"
}

func levelOf(e zapcore.Entry) slog.Level {
	if byStrangers(e.Message) {
		return slog.LevelDebug
	}
	return slogLevel(e.Level)
}

func slogLevel(l zapcore.Level) slog.Level {
	switch {
	case l >= zapcore.ErrorLevel:
		return slog.LevelWarn
	case l >= zapcore.WarnLevel:
		return slog.LevelInfo
	default:
		return slog.LevelDebug
	}
}

// Enabled implements zapcore.LevelEnabler.
func (c zapCore) Enabled(l zapcore.Level) bool {
	return c.log.Enabled(context.Background(), slogLevel(l))
}

// With implements zapcore.Core.
func (c zapCore) With(fields []zapcore.Field) zapcore.Core {
	c.attrs = append(slices.Clip(c.attrs), attrsOf(fields)...)
	return c
}

// Check implements zapcore.Core.
func (c zapCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !c.log.Enabled(context.Background(), levelOf(e)) {
		return ce
	}
	return ce.AddCore(e, c)
}

// Write implements zapcore.Core.
func (c zapCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	attrs := append(slices.Clip(c.attrs), attrsOf(fields)...)
	c.log.LogAttrs(context.Background(), levelOf(e), "acme: "+e.Message, append(attrs, slog.String("part", e.LoggerName))...)
	return nil
}

// Sync implements zapcore.Core.
func (zapCore) Sync() error { return nil }

// shownFields are those that are known to hold neither a key nor what a stranger
// sent: everything else that the library attaches is left out.
func shownFields() []string {
	return []string{
		"identifier", "identifiers", "subject", "subjects", "names", "error", "ca", "issuer", "attempt", "retrying_in",
		"elapsed", "max_duration", "remaining", "challenge", "challenge_type", "status_code", "expiration", "new_expiration", "lock_key",
	}
}

// maxLogged bounds a text of a field: a CA's problem may be a whole page.
const maxLogged = 1024

func attrsOf(fields []zapcore.Field) []slog.Attr {
	shown := shownFields()
	encoder := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		if slices.Contains(shown, f.Key) {
			f.AddTo(encoder)
		}
	}
	var attrs []slog.Attr
	for _, name := range shown {
		value, ok := encoder.Fields[name]
		if !ok {
			continue
		}
		if text, ok := value.(string); ok {
			value = text[:min(len(text), maxLogged)]
		}
		attrs = append(attrs, slog.Any(name, value))
	}
	return attrs
}
