package cache

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestRFC9111_4_3_1_Conditions(t *testing.T) {
	tests := []struct {
		name   string
		object *Object
		want   http.Header
	}{
		{"both", stored(`Etag: "a"`, "Last-Modified: "+monday), fields(`If-None-Match: "a"`, "If-Modified-Since: "+monday)},
		{"weak tag as it came", stored(`Etag: W/"a"`), fields(`If-None-Match: W/"a"`)},
		{"date only", stored("Last-Modified: " + monday), fields("If-Modified-Since: " + monday)},
		{"none", stored("Date: " + monday), nil},
		{"unreadable tag", stored("Etag: a"), nil},
		{"two tags", stored(`Etag: "a"`, `Etag: "b"`), nil},
		{"unreadable date", stored("Last-Modified: -1"), nil},
		{"no success", &Object{Status: 404, Header: fields(`Etag: "a"`)}, nil},
	}
	for _, tt := range tests {
		got := conditions(tt.object)
		if (got == nil) != (tt.want == nil) || strings.Join(flat(got), "|") != strings.Join(flat(tt.want), "|") {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// flat returns the lines of h, sorted.
func flat(h http.Header) []string {
	var lines []string
	for name, values := range h {
		for _, value := range values {
			lines = append(lines, name+": "+value)
		}
	}
	slices.Sort(lines)
	return lines
}

func TestRFC9111_4_3_4_WhichAnswerA304IsAbout(t *testing.T) {
	tests := []struct {
		name           string
		object, answer []string
		want           bool
	}{
		{"same strong tag", []string{`Etag: "a"`}, []string{`Etag: "a"`}, true},
		{"other strong tag", []string{`Etag: "a"`}, []string{`Etag: "b"`}, false},
		{"weak for strong", []string{`Etag: "a"`}, []string{`Etag: W/"a"`}, true},
		{"strong for weak", []string{`Etag: W/"a"`}, []string{`Etag: "a"`}, true},
		{"other weak tag", []string{`Etag: W/"a"`}, []string{`Etag: W/"b"`}, false},
		{"tag where none is stored", []string{"Last-Modified: " + monday}, []string{`Etag: "a"`}, false},
		{"unreadable tag", []string{`Etag: "a"`}, []string{`Etag: a`}, false},
		{"same date", []string{"Last-Modified: " + monday}, []string{"Last-Modified: " + monday}, true},
		{"other date", []string{"Last-Modified: " + monday}, []string{"Last-Modified: " + tuesday}, false},
		{"the tag decides, not a date that is always now", []string{`Etag: "a"`, "Last-Modified: " + monday}, []string{`Etag: "a"`, "Last-Modified: " + tuesday}, true},
		{"tag stored, date only", []string{`Etag: "a"`, "Last-Modified: " + monday}, []string{"Last-Modified: " + tuesday}, true},
		{"no validator", []string{`Etag: "a"`}, []string{"Date: " + tuesday}, true},
	}
	for _, tt := range tests {
		updated, ok := merged(stored(tt.object...), fields(tt.answer...))
		if ok != tt.want || (updated != nil) != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, ok, tt.want)
		}
	}
}

func TestRFC9111_3_2_UpdatingStoredFields(t *testing.T) {
	o := stored(`Etag: "a"`, "Date: "+monday, "Content-Type: application/json", "Content-Length: 10", "X-Stays: 1",
		"Cache-Control: max-age=1", "Vary: Accept", "X-Lines: 1", "X-Lines: 2", "Content-Encoding: gzip")
	o.Vary, o.Selected, o.Tags = []string{"Accept"}, "s", []string{"t"}
	before := flat(o.Header)
	updated, ok := merged(o, fields(`Etag: "a"`, "Date: "+tuesday, "Content-Type: text/html", "Content-Length: 0", "X-New: 1",
		"Cache-Control: max-age=2", "Vary: Accept, Accept-Language", "X-Lines: 3", "Content-Encoding: br", "Content-Range: x",
		"Set-Cookie: s=1", "X-RateLimit-Remaining: 5", "Connection: X-Hop", "X-Hop: 1", "Age: 7", "Content-Language: de"))
	if !ok {
		t.Fatal("not merged")
	}
	want := []string{
		"Cache-Control: max-age=2", "Content-Encoding: gzip", "Content-Length: 10", "Content-Type: application/json",
		"Date: " + tuesday, `Etag: "a"`, "Vary: Accept, Accept-Language", "X-Lines: 3", "X-New: 1", "X-Stays: 1",
	}
	if got := flat(updated.Header); !slices.Equal(got, want) {
		t.Errorf("fields %q, want %q", got, want)
	}
	if !slices.Equal(updated.Vary, []string{"Accept", "Accept-Language"}) {
		t.Errorf("Vary %v", updated.Vary)
	}
	if string(updated.Body) != "0123456789" || updated.Selected != "s" || !slices.Equal(updated.Tags, o.Tags) || updated.Status != 200 {
		t.Errorf("something else changed: %+v", updated)
	}
	if !slices.Equal(flat(o.Header), before) || !slices.Equal(o.Vary, []string{"Accept"}) {
		t.Error("the stored object itself was changed")
	}
}

// A 304 that makes the answer one that cannot be stored ends it.
func TestMergedIsStorable(t *testing.T) {
	for _, line := range []string{"Vary: *", "Vary: Cookie", "X-Large: " + strings.Repeat("x", maxStoredHeader)} {
		if updated, ok := merged(stored(`Etag: "a"`), fields(line)); ok || updated != nil {
			t.Errorf("%.20s: merged", line)
		}
	}
	half := "X-Half: " + strings.Repeat("x", maxStoredHeader-100)
	if _, ok := merged(stored(half), fields("X-Other: "+strings.Repeat("x", 200))); ok {
		t.Error("a header grows beyond the bound")
	}
}

func TestRFC9111_4_3_5_HEAD(t *testing.T) {
	object := []string{`Etag: "a"`, "Last-Modified: " + monday, "Date: " + monday}
	tests := []struct {
		name   string
		status int
		answer []string
		want   headEffect
	}{
		{"confirmed", 200, []string{`Etag: "a"`, "Date: " + tuesday}, headUpdates},
		{"confirmed by all", 200, []string{`Etag: "a"`, "Last-Modified: " + monday, "Content-Length: 10"}, headUpdates},
		{"confirmed by date", 200, []string{"Last-Modified: " + monday}, headUpdates},
		{"other tag", 200, []string{`Etag: "b"`}, headDrops},
		{"weak is not the strong one", 200, []string{`Etag: W/"a"`}, headDrops},
		{"other date", 200, []string{`Etag: "a"`, "Last-Modified: " + tuesday}, headDrops},
		{"other length", 200, []string{`Etag: "a"`, "Content-Length: 11"}, headDrops},
		{"other length alone", 200, []string{"Content-Length: 11"}, headDrops},
		{"length proves nothing", 200, []string{"Content-Length: 10"}, headNothing},
		{"nothing said", 200, nil, headNothing},
		{"no longer storable", 200, []string{`Etag: "a"`, "Vary: *"}, headDrops},
		{"other success", 204, []string{`Etag: "a"`}, headDrops},
		{"moved", 301, nil, headDrops},
		{"gone", 410, nil, headDrops},
		{"not found", 404, nil, headDrops},
		{"not modified", 304, []string{`Etag: "b"`}, headNothing},
		{"partial", 206, []string{`Etag: "b"`}, headNothing},
		{"refused", 403, nil, headNothing},
		{"quota", 429, nil, headNothing},
		{"failed", 500, nil, headNothing},
	}
	for _, tt := range tests {
		updated, effect := afterHead(stored(object...), tt.status, fields(tt.answer...))
		if effect != tt.want || (updated != nil) != (tt.want == headUpdates) {
			t.Errorf("%s: %v (%v), want %v", tt.name, effect, updated != nil, tt.want)
		}
	}
	updated, _ := afterHead(stored(object...), 200, fields(`Etag: "a"`, "Date: "+tuesday, "Content-Length: 10"))
	if updated.Header.Get("Date") != tuesday || string(updated.Body) != "0123456789" {
		t.Errorf("updated: %v %q", updated.Header, updated.Body)
	}
	missing := &Object{Status: 404, Header: http.Header{}}
	if _, effect := afterHead(missing, 404, nil); effect != headNothing {
		t.Errorf("still missing: %v", effect)
	}
	if _, effect := afterHead(missing, 200, nil); effect != headDrops {
		t.Errorf("no longer missing: %v", effect)
	}
}
