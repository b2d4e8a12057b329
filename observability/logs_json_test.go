package observability

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"
)

// sameLine fails the test unless a record reads as JSONHandler writes it, and
// reports whether the fast way took it.
func sameLine(t *testing.T, r slog.Record) bool {
	t.Helper()
	var got, want bytes.Buffer
	o := &slog.HandlerOptions{ReplaceAttr: capAttr}
	errGot := newLineHandler(&got, o).Handle(t.Context(), r)
	errWant := slog.NewJSONHandler(&want, o).Handle(t.Context(), r)
	if got.String() != want.String() || (errGot == nil) != (errWant == nil) {
		t.Errorf("%s (%v)\nand not\n%s (%v)", got.String(), errGot, want.String(), errWant)
	}
	var attrs []slog.Attr
	r.Attrs(func(a slog.Attr) bool { attrs = append(attrs, a); return true })
	got.Reset()
	plain := newLineHandler(&got, o).write(r.Time, r.Level, r.Message, attrs)
	if plain && got.String() != want.String() || !plain && got.Len() > 0 {
		t.Errorf("written as %s\nand not\n%s", got.String(), want.String())
	}
	return plain
}

func TestLineIsThatOfSlog(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 30, 0, 123_456_789, time.FixedZone("", -3600))
	for name, c := range map[string]struct {
		attrs []slog.Attr
		plain bool
	}{
		"nothing":       {nil, true},
		"text":          {[]slog.Attr{slog.String("route", "/sim/crm/v1/{x}**"), slog.String("html", "<a&b>"), slog.String("none", "")}, true},
		"quoted":        {[]slog.Attr{slog.String("a", `say "x" \ y`)}, false},
		"control bytes": {[]slog.Attr{slog.String("a", "x\n\x00\x7fy")}, false},
		"not ASCII":     {[]slog.Attr{slog.String("a", "é\u2028\xff")}, false},
		"key to escape": {[]slog.Attr{slog.String("é", "x")}, false},
		"cut":           {[]slog.Attr{slog.String("a", strings.Repeat("x", maxLogField+1))}, false},
		"longest":       {[]slog.Attr{slog.String("a", strings.Repeat("x", maxLogField))}, true},
		"numbers": {[]slog.Attr{
			slog.Int("i", -3), slog.Int64("min", math.MinInt64), slog.Uint64("u", math.MaxUint64), slog.Bool("b", true),
		}, true},
		"floats": {[]slog.Attr{
			slog.Float64("ms", 12.345), slog.Float64("whole", 3), slog.Float64("zero", 0), slog.Float64("minus", math.Copysign(0, -1)),
			slog.Float64("small", 0.000001), slog.Float64("large", 123456789012345678901),
		}, true},
		"small float":  {[]slog.Attr{slog.Float64("f", 1e-7)}, false},
		"large float":  {[]slog.Attr{slog.Float64("f", 1e21)}, false},
		"no number":    {[]slog.Attr{slog.Float64("f", math.NaN())}, false},
		"infinite":     {[]slog.Attr{slog.Float64("f", math.Inf(-1))}, false},
		"times":        {[]slog.Attr{slog.Time("t", now), slog.Time("zero", time.Time{})}, true},
		"distant time": {[]slog.Attr{slog.Time("t", now.AddDate(9000, 0, 0))}, false},
		"duration":     {[]slog.Attr{slog.Duration("d", time.Second)}, false},
		"any":          {[]slog.Attr{slog.Any("a", []int{1}), slog.Any("err", errors.New("x"))}, false},
		"inline group": {[]slog.Attr{slog.Group("", slog.Int("a", 1), slog.Group("", slog.Int("b", 2))), slog.Int("c", 3)}, true},
		"empty group":  {[]slog.Attr{slog.Group(""), slog.Int("c", 3)}, true},
		"named group":  {[]slog.Attr{slog.Group("g", slog.Int("a", 1))}, false},
		"empty attr":   {[]slog.Attr{{}, slog.Int("c", 3)}, false},
		"no key":       {[]slog.Attr{slog.Int("", 3)}, false},
		"many":         {[]slog.Attr{slog.Int("a", 1), slog.Int("b", 2), slog.Int("c", 3), slog.Int("d", 4), slog.Int("e", 5), slog.Int("f", 6)}, true},
		"valuer":       {[]slog.Attr{slog.Any("v", valuer{})}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := slog.NewRecord(now, slog.LevelInfo, "request", 0)
			r.AddAttrs(c.attrs...)
			if plain := sameLine(t, r); plain != c.plain {
				t.Errorf("plain is %t", plain)
			}
		})
	}
	sameLine(t, slog.NewRecord(time.Time{}, slog.LevelWarn+1, "no time", 0))
	sameLine(t, slog.NewRecord(now, slog.LevelDebug, "a \"message\"", 0))
}

// A byte is plain or not wherever it stands, and whatever stands beside it.
func TestPlainTextAnywhere(t *testing.T) {
	for c := range 256 {
		want := c >= ' ' && c <= '~' && c != '"' && c != '\\'
		for _, beside := range []string{" ", "~", "a", "!", "#", "[", "]"} {
			for at := range 17 {
				text := strings.Repeat(beside, at) + string([]byte{byte(c)}) + strings.Repeat(beside, 16-at)
				if plainText(text) != want {
					t.Errorf("%q: plain is %t", text, !want)
				}
			}
		}
	}
}

type valuer struct{}

// LogValue implements [slog.LogValuer].
func (valuer) LogValue() slog.Value { return slog.StringValue("resolved") }

func FuzzLine(f *testing.F) {
	f.Add("request", "key", "value", 1.5, int64(-1), int64(0))
	f.Add("", "", "\"\\\n", 1e-7, int64(7), int64(1<<60))
	f.Add("é", "k\x00", "\u2028", 1e21, int64(math.MinInt64), int64(-1<<60))
	f.Fuzz(func(t *testing.T, message, key, value string, number float64, whole, at int64) {
		r := slog.NewRecord(time.Unix(0, at).UTC(), slog.Level(whole%13), message, 0)
		r.AddAttrs(slog.String(key, value), slog.Float64("f"+key, number), slog.Group("", slog.Int64("i", whole)), slog.Time("t", time.Unix(at, 0)))
		sameLine(t, r)
	})
}

// Attributes of the logger itself, and levels, are slog's.
func TestLineHandlerOfLoggers(t *testing.T) {
	var text bytes.Buffer
	log, err := NewLogger(&text, LogOptions{Level: slog.LevelWarn})
	if err != nil {
		t.Fatal(err)
	}
	log.Info("hidden")
	log.With(slog.String("who", "x")).WithGroup("g").Warn("shown", slog.Int("a", 1))
	if got := text.String(); !strings.HasSuffix(got, `"level":"WARN","msg":"shown","who":"x","g":{"a":1}}`+"\n") || strings.Contains(got, "hidden") {
		t.Error(got)
	}
}

func BenchmarkLine(b *testing.B) {
	attrs := make([]slog.Attr, 0, 20)
	for range 10 {
		attrs = append(attrs, slog.String("service", "catalogs"), slog.Float64("duration_ms", 0.123))
	}
	o, nowhere := &slog.HandlerOptions{ReplaceAttr: capAttr}, io.MultiWriter()
	for name, h := range map[string]slog.Handler{"slog": slog.NewJSONHandler(nowhere, o), "plain": newLineHandler(nowhere, o)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
				r.AddAttrs(slog.Attr{Value: slog.GroupValue(attrs...)})
				_ = h.Handle(context.Background(), r)
			}
		})
	}
}
