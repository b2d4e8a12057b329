package cache

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	monday  = "Mon, 09 Nov 2026 08:00:00 GMT"
	tuesday = "Tue, 10 Nov 2026 08:00:00 GMT"
	friday  = "Fri, 13 Nov 2026 08:00:00 GMT"
)

// fields makes a header of "Name: value" lines.
func fields(lines ...string) http.Header {
	h := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return h
}

// stored makes an object with ten bytes of body and the given fields.
func stored(lines ...string) *Object {
	return &Object{
		Status: http.StatusOK, Header: fields(lines...), Body: []byte("0123456789"),
		Received: time.Date(2026, time.November, 10, 8, 0, 5, 0, time.UTC),
	}
}

type conditionTest struct {
	name    string
	object  []string
	request []string
	want    int
}

func checkConditions(t *testing.T, method string, tests []conditionTest) {
	t.Helper()
	for _, tt := range tests {
		if got := evaluate(fields(tt.request...), stored(tt.object...), method); got.status != tt.want {
			t.Errorf("%s %s: %d, want %d", method, tt.name, got.status, tt.want)
		}
	}
}

func TestRFC9110_13_1_2_IfNoneMatch(t *testing.T) {
	tests := []conditionTest{
		{"same", []string{`Etag: "a"`}, []string{`If-None-Match: "a"`}, 304},
		{"other", []string{`Etag: "a"`}, []string{`If-None-Match: "b"`}, 200},
		{"weak against strong", []string{`Etag: "a"`}, []string{`If-None-Match: W/"a"`}, 304},
		{"strong against weak", []string{`Etag: W/"a"`}, []string{`If-None-Match: "a"`}, 304},
		{"case matters", []string{`Etag: "a"`}, []string{`If-None-Match: "A"`}, 200},
		{"w is no weakness", []string{`Etag: "a"`}, []string{`If-None-Match: w/"a"`}, 200},
		{"list", []string{`Etag: "c"`}, []string{`If-None-Match: "a", W/"b",, "c"`}, 304},
		{"list without commas", []string{`Etag: "c"`}, []string{`If-None-Match: "a" "c"`}, 304},
		{"several lines", []string{`Etag: "c"`}, []string{`If-None-Match: "a"`, `If-None-Match: "c"`}, 304},
		{"comma inside a tag", []string{`Etag: "a,b"`}, []string{`If-None-Match: "a,b"`}, 304},
		{"part of a tag with a comma", []string{`Etag: "b"`}, []string{`If-None-Match: "a, "b`}, 200},
		{"any", []string{`Etag: "a"`}, []string{`If-None-Match: *`}, 304},
		{"any, nothing known", nil, []string{`If-None-Match: *`}, 304},
		{"any in a list is no tag", []string{`Etag: "a"`}, []string{`If-None-Match: "b", *`}, 200},
		{"none stored", nil, []string{`If-None-Match: "a"`}, 200},
		{"empty tags", []string{`Etag: ""`}, []string{`If-None-Match: ""`}, 304},
		{"not quoted", []string{`Etag: a`}, []string{`If-None-Match: a`}, 200},
		{"not closed", []string{`Etag: "a"`}, []string{`If-None-Match: "a`}, 200},
		{"two stored", []string{`Etag: "a"`, `Etag: "b"`}, []string{`If-None-Match: "a"`}, 200},
	}
	checkConditions(t, http.MethodGet, tests)
	checkConditions(t, http.MethodHead, tests)
	checkConditions(t, http.MethodPost, []conditionTest{
		{"reading POST", []string{`Etag: "a"`}, []string{`If-None-Match: "a"`}, 412},
		{"reading POST, other", []string{`Etag: "a"`}, []string{`If-None-Match: "b"`}, 200},
	})
}

func TestRFC9110_13_1_3_IfModifiedSince(t *testing.T) {
	tests := []conditionTest{
		{"same", []string{"Last-Modified: " + monday}, []string{"If-Modified-Since: " + monday}, 304},
		{"modified before", []string{"Last-Modified: " + monday}, []string{"If-Modified-Since: " + tuesday}, 304},
		{"modified after", []string{"Last-Modified: " + tuesday}, []string{"If-Modified-Since: " + monday}, 200},
		{"asctime", []string{"Last-Modified: " + monday}, []string{"If-Modified-Since: Mon Nov  9 08:00:00 2026"}, 304},
		{"no date", []string{"Last-Modified: " + monday}, []string{"If-Modified-Since: yesterday"}, 200},
		{"two dates", []string{"Last-Modified: " + monday}, []string{"If-Modified-Since: " + monday, "If-Modified-Since: " + monday}, 200},
		{"stored one is no date", []string{"Last-Modified: -1", "Date: " + monday}, []string{"If-Modified-Since: " + friday}, 200},
	}
	checkConditions(t, http.MethodGet, tests)
	checkConditions(t, http.MethodHead, tests)
	checkConditions(t, http.MethodPost, []conditionTest{
		{"no GET", []string{"Last-Modified: " + monday}, []string{"If-Modified-Since: " + monday}, 200},
	})
}

// Without Last-Modified the Date counts, without that when the answer came.
func TestRFC9111_4_3_2_IfModifiedSinceWithoutLastModified(t *testing.T) {
	checkConditions(t, http.MethodGet, []conditionTest{
		{"dated before", []string{"Date: " + monday}, []string{"If-Modified-Since: " + monday}, 304},
		{"dated after", []string{"Date: " + tuesday}, []string{"If-Modified-Since: " + monday}, 200},
		{"received after", nil, []string{"If-Modified-Since: " + tuesday}, 200},
		{"received before", nil, []string{"If-Modified-Since: " + friday}, 304},
	})
	unknown := &Object{Status: http.StatusOK, Header: http.Header{}}
	if got := evaluate(fields("If-Modified-Since: "+friday), unknown, http.MethodGet); got.status != http.StatusOK {
		t.Errorf("nobody knows when it was made: %d", got.status)
	}
}

func TestRFC9110_13_2_2_Precedence(t *testing.T) {
	object := []string{`Etag: "a"`, "Last-Modified: " + monday, "Date: " + friday}
	checkConditions(t, http.MethodGet, []conditionTest{
		{"If-None-Match hides If-Modified-Since", object, []string{`If-None-Match: "b"`, "If-Modified-Since: " + monday}, 200},
		{"If-None-Match holds alone", object, []string{`If-None-Match: "a"`, "If-Modified-Since: yesterday"}, 304},
		{"If-Match hides If-Unmodified-Since", object, []string{`If-Match: "a"`, "If-Unmodified-Since: Mon, 02 Nov 2026 08:00:00 GMT"}, 200},
		{"If-Match before If-None-Match", object, []string{`If-Match: "b"`, `If-None-Match: "a"`}, 412},
		{"both hold", object, []string{`If-Match: "a"`, `If-None-Match: "a"`}, 304},
		{"304 before Range", object, []string{`If-None-Match: "a"`, "Range: bytes=0-1"}, 304},
		{"Range after all", object, []string{`If-None-Match: "b"`, "Range: bytes=0-1"}, 206},
	})
}

func TestRFC9110_13_1_1_IfMatch(t *testing.T) {
	checkConditions(t, http.MethodGet, []conditionTest{
		{"same", []string{`Etag: "a"`}, []string{`If-Match: "b", "a"`}, 200},
		{"other", []string{`Etag: "a"`}, []string{`If-Match: "b"`}, 412},
		{"weak stored", []string{`Etag: W/"a"`}, []string{`If-Match: W/"a"`}, 412},
		{"any", nil, []string{`If-Match: *`}, 200},
		{"none stored", nil, []string{`If-Match: "a"`}, 412},
		{"unmodified", []string{"Last-Modified: " + monday}, []string{"If-Unmodified-Since: " + monday}, 200},
		{"modified", []string{"Last-Modified: " + tuesday}, []string{"If-Unmodified-Since: " + monday}, 412},
		{"no date", []string{"Last-Modified: " + tuesday}, []string{"If-Unmodified-Since: never"}, 200},
		{"no date stored", nil, []string{"If-Unmodified-Since: " + monday}, 200},
	})
}

// Conditions count only where the answer without them is a success.
func TestRFC9110_13_2_1_ConditionsOfFailuresAreIgnored(t *testing.T) {
	for _, status := range []int{301, 304, 404, 410, 412, 416, 500} {
		o := stored(`Etag: "a"`)
		o.Status = status
		h := fields(`If-None-Match: "a"`, "Range: bytes=0-1", `If-Match: "b"`)
		if got := evaluate(h, o, http.MethodGet); got.status != status || got.ranges != nil {
			t.Errorf("a stored %d became %d", status, got.status)
		}
	}
}

func TestRFC9110_13_1_5_IfRange(t *testing.T) {
	old := []string{"Last-Modified: " + monday, "Date: " + tuesday}
	with := func(ifRange ...string) []string {
		lines := []string{"Range: bytes=2-3"}
		for _, value := range ifRange {
			lines = append(lines, "If-Range: "+value)
		}
		return lines
	}
	checkConditions(t, http.MethodGet, []conditionTest{
		{"none", nil, with(), 206},
		{"same tag", []string{`Etag: "a"`}, with(`"a"`), 206},
		{"other tag", []string{`Etag: "a"`}, with(`"b"`), 200},
		{"weak tag", []string{`Etag: W/"a"`}, with(`W/"a"`), 200},
		{"weak stored", []string{`Etag: W/"a"`}, with(`"a"`), 200},
		{"no list", []string{`Etag: "a"`}, with(`"a", "b"`), 200},
		{"any is no tag", []string{`Etag: "a"`}, with(`*`), 200},
		{"two lines", []string{`Etag: "a"`}, with(`"a"`, `"a"`), 200},
		{"same date", old, with(monday), 206},
		{"later date", old, with(tuesday), 200},
		{"earlier date", []string{"Last-Modified: " + tuesday, "Date: " + friday}, with(monday), 200},
		{"modified when it was made", []string{"Last-Modified: " + monday, "Date: " + monday}, with(monday), 200},
		{"not dated", []string{"Last-Modified: " + monday}, with(monday), 200},
		{"no date", old, with("soon"), 200},
		{"without Range", []string{`Etag: "a"`}, []string{`If-Range: "a"`}, 200},
	})
}

func TestRFC9111_4_3_2_OriginConditionsAreNotTheCaches(t *testing.T) {
	for line, want := range map[string]bool{
		`If-Match: "a"`: true, "If-Unmodified-Since: " + monday: true,
		`If-None-Match: "a"`: false, "If-Modified-Since: " + monday: false, "Range: bytes=0-": false,
	} {
		if got := asksOrigin(fields(line)); got != want {
			t.Errorf("%s asks the origin: %v", line, got)
		}
	}
}

// Whatever the request's conditions hold: no panic, no foreign status, and a
// part lies inside the body.
func FuzzEvaluate(f *testing.F) {
	f.Add(`"a"`, `W/"a", "b"`, monday, `"a"`, "bytes=0-1,-2")
	f.Add(`W/"a,b"`, `*`, "Monday, 09-Nov-26 08:00:00 GMT", monday, "bytes=9223372036854775808-")
	f.Add(``, `"`, "", "W/", "bytes=,,")
	f.Fuzz(func(t *testing.T, tag, noneMatch, since, ifRange, ranges string) {
		o := stored("Last-Modified: "+monday, "Date: "+tuesday)
		o.Header["Etag"] = []string{tag}
		h := http.Header{"Range": {ranges}}
		for name, value := range map[string]string{"If-None-Match": noneMatch, "If-Modified-Since": since, "If-Range": ifRange} {
			if value != "" {
				h[name] = []string{value}
			}
		}
		out := evaluate(h, o, http.MethodGet)
		switch out.status {
		case 200, 206, 304, 416:
		default:
			t.Fatalf("status %d", out.status)
		}
		if (out.status == 206) != (len(out.ranges) > 0) || len(out.ranges) > maxRanges {
			t.Fatalf("%d with %d ranges", out.status, len(out.ranges))
		}
		for _, r := range out.ranges {
			if r.start < 0 || r.length < 1 || r.start+r.length > int64(len(o.Body)) {
				t.Fatalf("%+v is outside of the body", r)
			}
		}
		if tagOf(o).opaque != "" && noneMatch == tag && out.status != 304 {
			t.Fatalf("%s does not match itself", tag)
		}
	})
}

func BenchmarkEvaluate(b *testing.B) {
	o := stored(`Etag: "b", "a"`, "Last-Modified: "+monday)
	h := fields("Accept: application/json", "Accept-Language: en", `If-None-Match: "x", "y", "z"`)
	b.ReportAllocs()
	for b.Loop() {
		if evaluate(h, o, http.MethodGet).status != 200 {
			b.Fatal("not whole")
		}
	}
}
