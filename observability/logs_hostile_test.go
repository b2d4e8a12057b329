package observability_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"iqgateway/observability"
)

// serveTimes has requests served through the observe stage.
func serveTimes(t *testing.T, log *slog.Logger, n int) {
	t.Helper()
	h := observability.Observe(observability.ObserveOptions{Replica: "r1", Logger: log})(http.NotFoundHandler())
	for range n {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/x", http.NoBody))
	}
}

// harmless reports what is wrong with what one record has become: it must be one
// line of bounded length, of valid text, without a byte that steers a terminal.
func harmless(text string) string {
	line, ok := strings.CutSuffix(text, "\n")
	switch {
	case !ok || strings.Contains(line, "\n"):
		return "not one line"
	case !utf8.ValidString(line):
		return "no valid text"
	case strings.ContainsFunc(line, unicode.IsControl) || strings.ContainsAny(line, "\u2028\u2029"):
		return "control characters"
	case len(line) > 40<<10:
		return "too long"
	}
	return ""
}

// FuzzHostileLine: whatever somebody else chooses, a record is one harmless line,
// and in JSON one object.
func FuzzHostileLine(f *testing.F) {
	for _, s := range []string{"\n{\"level\":\"error\"}", "%0a{\"level\":\"error\"}", "\u001b[2J", "\u2028", "\u009b31m\u007f", "\xff\xfe", strings.Repeat("x", 100_000), `"}`, "a=b c"} {
		f.Add("request", s, s)
	}
	f.Fuzz(func(t *testing.T, message, value, other string) {
		for _, format := range []string{"json", "text"} {
			var text bytes.Buffer
			log, err := observability.NewLogger(&text, observability.LogOptions{Format: format})
			if err != nil {
				t.Fatal(err)
			}
			log.Info(message, slog.String("value", value), slog.Any("error", hostileError(other)))
			if problem := harmless(text.String()); problem != "" {
				t.Errorf("%s: %s: %.300q", format, problem, text.String())
			}
			if format == "json" && !json.Valid(text.Bytes()) {
				t.Errorf("no JSON: %.300q", text.String())
			}
		}
	})
}

type hostileError string

func (h hostileError) Error() string { return string(h) }

// FuzzLoggedQuery: of a query only what is named is logged, as it was written.
func FuzzLoggedQuery(f *testing.F) {
	for _, s := range []string{"a=1&secret=2", "%61=1;secret=2", "a=%0a&&;a", "a=1%26secret=2", "secret=a&a=", "=a", "%zz=1", "a=\xff", strings.Repeat("a=x&", 1000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		var text bytes.Buffer
		log, err := observability.NewLogger(&text, observability.LogOptions{})
		if err != nil {
			t.Fatal(err)
		}
		h := observability.Observe(observability.ObserveOptions{Replica: "r1", Logger: log, QueryParameters: []string{"a"}})(http.NotFoundHandler())
		r := httptest.NewRequest(http.MethodGet, "/x", http.NoBody)
		r.URL.RawQuery = query
		h.ServeHTTP(httptest.NewRecorder(), r)
		var line struct{ Query string }
		if problem := harmless(text.String()); problem != "" || json.Unmarshal(text.Bytes(), &line) != nil {
			t.Fatalf("%s: %.300q", problem, text.String())
		}
		if len(line.Query) > 1100 {
			t.Errorf("%d bytes of a query", len(line.Query))
		}
		if line.Query == "" {
			return
		}
		for part := range strings.SplitSeq(strings.TrimSuffix(line.Query, "…"), "&") {
			raw, _, _ := strings.Cut(part, "=")
			if name, err := url.QueryUnescape(raw); (err != nil || name != "a") && len(line.Query) < 1000 {
				t.Errorf("%q is logged of %q", part, query)
			}
		}
	})
}
