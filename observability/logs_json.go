package observability

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"math"
	"strconv"
	"sync"
	"time"
)

// maxPooledLine is how large a buffer may be that is kept for the next line.
const maxPooledLine = 16 << 10

// lineHandler writes the records of [slog.JSONHandler], byte for byte, but
// those of plain values (short ASCII texts, numbers, times, and groups without
// a name) without reflection and in one buffer: every request leaves one. The
// others, and loggers with attributes of their own, are the JSONHandler's.
type lineHandler struct {
	*slog.JSONHandler

	lines *lineWriter
}

func newLineHandler(w io.Writer, o *slog.HandlerOptions) *lineHandler {
	lines := &lineWriter{w: w}
	return &lineHandler{slog.NewJSONHandler(lines, o), lines}
}

// lineWriter is written to by both ways, one line at a time.
type lineWriter struct {
	mu      sync.Mutex
	w       io.Writer
	buffers sync.Pool // of *[]byte
}

// Write implements [io.Writer].
func (l *lineWriter) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(line)
}

func (l *lineWriter) buffer() *[]byte {
	if b, ok := l.buffers.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 0, 1<<10)
	return &b
}

// Handle implements [slog.Handler].
func (h *lineHandler) Handle(ctx context.Context, r slog.Record) error {
	b := h.lines.buffer()
	line, plain := appendRecord((*b)[:0], &r)
	var err error
	if plain {
		_, err = h.lines.Write(line)
	} else {
		err = h.JSONHandler.Handle(ctx, r)
	}
	if cap(line) <= maxPooledLine {
		*b = line
		h.lines.buffers.Put(b)
	}
	return err
}

// appendRecord appends a record as a line; false = it is not plain.
func appendRecord(b []byte, r *slog.Record) (line []byte, plain bool) {
	b = append(b, '{')
	if !r.Time.IsZero() {
		b = append(b, `"time":`...)
		if b, plain = appendPlainTime(b, r.Time); !plain {
			return b, false
		}
		b = append(b, ',')
	}
	b = append(b, `"level":"`...)
	b = append(append(b, r.Level.String()...), `","msg":`...)
	b, plain = appendPlainText(b, r.Message)
	r.Attrs(func(a slog.Attr) bool {
		if plain {
			b, plain = appendPlain(b, a)
		}
		return plain
	})
	return append(b, '}', '\n'), plain
}

// appendPlain appends an attribute, with the comma before it.
func appendPlain(b []byte, a slog.Attr) (_ []byte, plain bool) {
	v := a.Value
	kind := v.Kind()
	if kind == slog.KindGroup {
		return appendPlainGroup(b, a)
	}
	if b, plain = appendPlainText(append(b, ','), a.Key); !plain || a.Key == "" {
		return b, false
	}
	b = append(b, ':')
	switch kind {
	case slog.KindString:
		return appendPlainText(b, v.String())
	case slog.KindInt64:
		return strconv.AppendInt(b, v.Int64(), 10), true
	case slog.KindUint64:
		return strconv.AppendUint(b, v.Uint64(), 10), true
	case slog.KindFloat64:
		return appendPlainFloat(b, v.Float64())
	case slog.KindBool:
		return strconv.AppendBool(b, v.Bool()), true
	case slog.KindTime:
		return appendPlainTime(b, v.Time())
	default:
		return b, false
	}
}

// appendPlainGroup appends the members of a group without a name.
func appendPlainGroup(b []byte, group slog.Attr) (_ []byte, plain bool) {
	if group.Key != "" {
		return b, false
	}
	plain = true
	for _, a := range group.Value.Group() {
		if b, plain = appendPlain(b, a); !plain {
			break
		}
	}
	return b, plain
}

// appendPlainText appends a text that is the same in JSON, and short enough
// not to be cut.
func appendPlainText(b []byte, s string) (_ []byte, plain bool) {
	if len(s) > maxLogField {
		return b, false
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return b, false
		}
	}
	return append(append(append(b, '"'), s...), '"'), true
}

// appendPlainFloat appends a number that encoding/json writes without exponent.
func appendPlainFloat(b []byte, f float64) (_ []byte, plain bool) {
	if n := int64(f*1000 + 0.5); f > 0 && f < 1e9 && float64(n)/1000 == f {
		return appendThousandths(b, n), true // as every duration in ms is
	}
	if abs := math.Abs(f); f != 0 && !(abs >= 1e-6 && abs < 1e21) {
		return b, false
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64), true
}

// appendThousandths appends n/1000 as the shortest decimal that reads as it.
func appendThousandths(b []byte, n int64) []byte {
	b = strconv.AppendInt(b, n/1000, 10)
	rest := n % 1000
	if rest == 0 {
		return b
	}
	b = append(b, '.', byte('0'+rest/100), byte('0'+rest/10%10), byte('0'+rest%10))
	return bytes.TrimRight(b, "0")
}

func appendPlainTime(b []byte, t time.Time) (_ []byte, plain bool) {
	if y := t.Year(); y < 0 || y >= 10_000 {
		return b, false
	}
	b = t.AppendFormat(append(b, '"'), time.RFC3339Nano)
	return append(b, '"'), true
}
