package proxy

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxLogText bounds one message of net/http; most carry text of a stranger.
const maxLogText = 1024

// serverLog passes the messages of http.Server.ErrorLog to slog.
type serverLog struct{ logger *slog.Logger }

// Write implements io.Writer; log.Logger calls it once per message.
func (l serverLog) Write(p []byte) (int, error) {
	level := slog.LevelWarn
	switch {
	case bytes.Contains(p, []byte("panic serving")):
		level = slog.LevelError
	case slices.ContainsFunc(strangersFaults(), func(fault string) bool { return bytes.Contains(p, []byte(fault)) }):
		level = slog.LevelDebug
	}
	l.logger.LogAttrs(context.Background(), level, "http server",
		slog.String("message", printable(strings.TrimSpace(string(p)), maxLogText)))
	return len(p), nil
}

// strangersFaults are in what whoever can connect has written at will: every port
// scan makes some.
func strangersFaults() []string {
	return []string{
		"TLS handshake error", "error reading preface from client", "server connection error from",
		"server closing client connection", "timeout waiting for SETTINGS frames", "received GOAWAY",
	}
}

// printable returns s with everything that could end a log line, move a cursor
// or is no UTF-8 escaped as in Go source, cut to at most limit bytes of input.
func printable(s string, limit int) string {
	cut := len(s) > limit
	if cut {
		s = s[:limit]
	}
	var out strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			writeEscape(&out, `\x`, uint32(s[0]), 2)
		case r > 0xffff && !unicode.IsPrint(r):
			writeEscape(&out, `\U`, uint32(r), 8)
		case !unicode.IsPrint(r):
			writeEscape(&out, `\u`, uint32(r), 4)
		default:
			out.WriteRune(r)
		}
		s = s[size:]
	}
	if cut {
		out.WriteString("…")
	}
	return out.String()
}

func writeEscape(out *strings.Builder, prefix string, value uint32, digits int) {
	const hex = "0123456789abcdef"
	out.WriteString(prefix)
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		out.WriteByte(hex[value>>shift&0xf])
	}
}
