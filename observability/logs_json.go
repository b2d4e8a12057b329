package observability

import (
	"bytes"
	"context"
	"encoding/binary"
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
	byClass

	to      lineTaker
	buffers sync.Pool // of *[]byte
}

func newLineHandler(w io.Writer, o *slog.HandlerOptions) *lineHandler {
	to := takerOf(w)
	return &lineHandler{
		byClass: byClass{slog.NewJSONHandler(classWriter{to, ordinaryLine}, o), slog.NewJSONHandler(classWriter{to, errorLine}, o)}, to: to,
	}
}

func (h *lineHandler) buffer() *[]byte {
	if b, ok := h.buffers.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 0, 1<<10)
	return &b
}

// Handle implements [slog.Handler].
func (h *lineHandler) Handle(ctx context.Context, r slog.Record) error {
	b := h.buffer()
	line, plain := appendHead((*b)[:0], r.Time, r.Level, r.Message)
	r.Attrs(func(a slog.Attr) bool {
		if plain {
			line, plain = appendPlain(line, a)
		}
		return plain
	})
	if h.end(b, r.Level, line, plain) {
		return nil
	}
	return h.byClass.Handle(ctx, r)
}

// write is Handle for a record that nobody else needs. False = it is not plain,
// and nothing was written.
func (h *lineHandler) write(at time.Time, level slog.Level, message string, attrs []slog.Attr) bool {
	b := h.buffer()
	line, plain := appendHead((*b)[:0], at, level, message)
	for i := 0; plain && i < len(attrs); i++ {
		line, plain = appendPlain(line, attrs[i])
	}
	return h.end(b, level, line, plain)
}

// end writes a line if it is plain, and keeps its buffer.
func (h *lineHandler) end(b *[]byte, level slog.Level, line []byte, plain bool) bool {
	line = append(line, '}', '\n')
	if plain {
		h.to.put(classOf(level), line)
	}
	if cap(line) <= maxPooledLine {
		*b = line
		h.buffers.Put(b)
	}
	return plain
}

// appendHead appends what each line begins with; false = it is not plain.
func appendHead(b []byte, at time.Time, level slog.Level, message string) (_ []byte, plain bool) {
	b = append(b, '{')
	if !at.IsZero() {
		b = append(b, `"time":`...)
		if b, plain = appendPlainTime(b, at); !plain {
			return b, false
		}
		b = append(b, ',')
	}
	b = append(b, `"level":"`...)
	return appendPlainText(append(append(b, level.String()...), `","msg":`...), message)
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
	if len(s) > maxLogField || !plainText(s) {
		return b, false
	}
	return append(append(append(b, '"'), s...), '"'), true
}

// plainText reports whether all of a text is printable ASCII but for quotes and
// backslashes. It looks at eight bytes at once: they are most of what a line costs.
func plainText(s string) bool {
	for ; len(s) >= 8; s = s[8:] {
		if !plainEight(binary.LittleEndian.Uint64([]byte(s[:8]))) {
			return false
		}
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// plainEight is plainText for eight bytes in a word. A byte leaves its highest bit
// in one of the terms if it is not plain.
func plainEight(w uint64) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	quote, backslash := w^('"'*ones), w^('\\'*ones) // 0 where it is one
	return (w|(w-' '*ones)|(w+ones)|(quote-ones)|(backslash-ones))&high == 0
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
