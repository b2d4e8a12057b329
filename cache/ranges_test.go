package cache

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestRFC9110_14_1_2_ByteRanges(t *testing.T) {
	tests := []struct {
		field string
		want  []byteRange
		ok    bool
	}{
		{"bytes=0-0", []byteRange{{0, 1}}, true},
		{"bytes=2-4", []byteRange{{2, 3}}, true},
		{"bytes=2-", []byteRange{{2, 8}}, true},
		{"bytes=2-99999999999999999999999", []byteRange{{2, 8}}, true},
		{"bytes=-3", []byteRange{{7, 3}}, true},
		{"bytes=-99", []byteRange{{0, 10}}, true},
		{"bytes=-99999999999999999999999", []byteRange{{0, 10}}, true},
		{"bytes=9-", []byteRange{{9, 1}}, true},
		{"BYTES=0-1", []byteRange{{0, 2}}, true}, // section 14.1: units are case-insensitive
		{"bytes= 0-1 ,\t3-4 ,,", []byteRange{{0, 2}, {3, 2}}, true},
		{"bytes=5-6,0-1", []byteRange{{5, 2}, {0, 2}}, true}, // in the order of the request
		{"bytes=0-1,99-100", []byteRange{{0, 2}}, true},      // what cannot be satisfied is left out
		{"bytes=10-", nil, true},
		{"bytes=-0", nil, true},
		{"bytes=99999999999999999999999-", nil, true},
		{"bytes=10-11,-0", nil, true},
		{"bytes=4-2", nil, false},
		{"bytes=0-1,4-2", nil, false}, // one wrong, all wrong
		{"bytes=", nil, false},
		{"bytes=,", nil, false},
		{"bytes", nil, false},
		{"", nil, false},
		{"bytes=-", nil, false},
		{"bytes=1", nil, false},
		{"bytes=a-b", nil, false},
		{"bytes=+1-2", nil, false},
		{"bytes=1--2", nil, false},
		{"bytes=0x1-2", nil, false},
		{"bytes=1 - 2", nil, false},
		{"bytes=٣-٤", nil, false},
		{"items=0-1", nil, false},
		{"bytes=0-4,4-5", nil, false}, // overlap
		{"bytes=-5,5-5", nil, false},
		{"bytes=0-,0-,0-", nil, false},
	}
	for _, tt := range tests {
		got, ok := parseRange(tt.field, 10)
		if ok != tt.ok || ok && !slices.Equal(got, tt.want) {
			t.Errorf("%q: %v, %v; want %v, %v", tt.field, got, ok, tt.want, tt.ok)
		}
	}
}

// RFC 9110, section 14.2 and 17.15: many small ranges cost more than the whole.
func TestRFC9110_14_2_ManyRangesAreIgnored(t *testing.T) {
	many := func(n int) string {
		specs := make([]string, n)
		for i := range specs {
			specs[i] = fmt.Sprintf("%d-%d", 2*i, 2*i)
		}
		return "bytes=" + strings.Join(specs, ",")
	}
	if got, ok := parseRange(many(maxRanges), 1000); !ok || len(got) != maxRanges {
		t.Errorf("%d ranges: %d, %v", maxRanges, len(got), ok)
	}
	if got, ok := parseRange(many(maxRanges+1), 1000); ok {
		t.Errorf("%d ranges are served as %d", maxRanges+1, len(got))
	}
}

func TestRFC9110_14_2_WhenRangeIsIgnored(t *testing.T) {
	h := fields("Range: bytes=0-1")
	for name, tt := range map[string]struct {
		method string
		object *Object
		header http.Header
	}{
		"HEAD":        {http.MethodHead, stored(), h},
		"POST":        {http.MethodPost, stored(), h},
		"two fields":  {http.MethodGet, stored(), fields("Range: bytes=0-1", "Range: bytes=2-3")},
		"status 203":  {http.MethodGet, &Object{Status: 203, Body: []byte("0123456789")}, h},
		"empty body":  {http.MethodGet, &Object{Status: 200}, h},
		"other units": {http.MethodGet, stored(), fields("Range: lines=0-1")},
	} {
		if got := evaluate(tt.header, tt.object, tt.method); got.status != tt.object.Status {
			t.Errorf("%s: %d", name, got.status)
		}
	}
}

// serve answers a request from o through net/http, and returns what a client
// reads.
func serve(t *testing.T, o *Object, method string, request http.Header) (*http.Response, []byte) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := evaluate(r.Header, o, r.Method).prepare(w.Header(), o)
		w.WriteHeader(answer.status)
		if r.Method == http.MethodHead {
			return
		}
		if n, err := answer.WriteTo(w); err != nil || n != answer.length {
			t.Errorf("wrote %d bytes of %d: %v", n, answer.length, err)
		}
	}))
	t.Cleanup(server.Close)
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = request
	r.Header.Set("Accept-Encoding", "identity")
	res, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, body
}

func rich() *Object {
	return stored(`Etag: "a"`, "Last-Modified: "+monday, "Date: "+tuesday, "Content-Type: text/plain", "Vary: Accept",
		"Cache-Control: private", "Expires: -1", "Content-Location: /x", "Link: </y>; rel=next", "Content-Md5: x")
}

func TestRFC9110_15_3_7_1_SinglePart(t *testing.T) {
	o := rich()
	res, body := serve(t, o, http.MethodGet, fields("Range: bytes=-4"))
	if res.StatusCode != http.StatusPartialContent || string(body) != "6789" || res.ContentLength != 4 {
		t.Fatalf("%d %q, length %d", res.StatusCode, body, res.ContentLength)
	}
	for name, want := range map[string]string{
		"Content-Range": "bytes 6-9/10", "Content-Type": "text/plain", "Etag": `"a"`, "Date": tuesday,
		"Vary": "Accept", "Cache-Control": "private", "Expires": "-1", "Content-Location": "/x",
		"Content-Md5": "", // is of the whole
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if o.Header.Get("Content-Range") != "" || o.Header.Get("Content-Md5") == "" {
		t.Errorf("the stored header was changed: %v", o.Header)
	}
}

func TestRFC9110_15_3_7_2_MultipleParts(t *testing.T) {
	res, body := serve(t, rich(), http.MethodGet, fields("Range: bytes=5-6, 0-0, -2"))
	mediaType, parameters, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil || res.StatusCode != http.StatusPartialContent || mediaType != "multipart/byteranges" {
		t.Fatalf("%d %s: %v", res.StatusCode, mediaType, err)
	}
	if res.Header.Get("Content-Range") != "" || res.ContentLength != int64(len(body)) {
		t.Errorf("Content-Range %q, length %d of %d", res.Header.Get("Content-Range"), res.ContentLength, len(body))
	}
	reader := multipart.NewReader(bytes.NewReader(body), parameters["boundary"])
	for _, want := range [][2]string{{"bytes 5-6/10", "56"}, {"bytes 0-0/10", "0"}, {"bytes 8-9/10", "89"}} {
		part, err := reader.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		got := [2]string{part.Header.Get("Content-Range"), string(text)}
		if got != want || part.Header.Get("Content-Type") != "text/plain" {
			t.Errorf("part %v %v, want %v", got, part.Header, want)
		}
	}
	if _, err := reader.NextPart(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last part: %v", err)
	}
}

func TestRFC9110_15_5_17_RangeNotSatisfiable(t *testing.T) {
	res, body := serve(t, rich(), http.MethodGet, fields("Range: bytes=10-"))
	if res.StatusCode != http.StatusRequestedRangeNotSatisfiable || len(body) != 0 || res.Header.Get("Content-Range") != "bytes */10" {
		t.Errorf("%d %q %v", res.StatusCode, body, res.Header)
	}
	if got := res.Header.Get("Content-Type"); got != "" {
		t.Errorf("no body, and a Content-Type of %s", got)
	}
}

func TestRFC9110_15_4_5_NotModified(t *testing.T) {
	res, body := serve(t, rich(), http.MethodGet, fields(`If-None-Match: "a"`))
	if res.StatusCode != http.StatusNotModified || len(body) != 0 {
		t.Fatalf("%d %q", res.StatusCode, body)
	}
	got := slices.Sorted(func(yield func(string) bool) {
		for name := range res.Header {
			if !yield(name) {
				return
			}
		}
	})
	want := []string{"Cache-Control", "Content-Location", "Date", "Etag", "Expires", "Vary"}
	if !slices.Equal(got, want) || res.Header.Get("Date") != tuesday {
		t.Errorf("fields %v, want %v", got, want)
	}
	untagged := stored("Last-Modified: "+monday, "Date: "+tuesday)
	res, _ = serve(t, untagged, http.MethodGet, fields("If-Modified-Since: "+monday))
	if res.StatusCode != http.StatusNotModified || res.Header.Get("Last-Modified") != monday {
		t.Errorf("without a tag: %d %v", res.StatusCode, res.Header)
	}
}

func TestRFC9110_15_5_13_PreconditionFailed(t *testing.T) {
	res, body := serve(t, rich(), http.MethodGet, fields(`If-Match: "b"`))
	if res.StatusCode != http.StatusPreconditionFailed || len(body) != 0 || res.Header.Get("Etag") != `"a"` || res.Header.Get("Content-Type") != "" {
		t.Errorf("%d %q %v", res.StatusCode, body, res.Header)
	}
}

func TestWholeAnswers(t *testing.T) {
	o := rich()
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		res, body := serve(t, o, method, http.Header{})
		if res.StatusCode != http.StatusOK || res.ContentLength != 10 || method == http.MethodGet && string(body) != "0123456789" {
			t.Errorf("%s: %d, length %d, %q", method, res.StatusCode, res.ContentLength, body)
		}
	}
	none := &Object{Status: 204, Header: fields("Date: " + monday)}
	if res, _ := serve(t, none, http.MethodGet, http.Header{}); res.StatusCode != http.StatusNoContent || res.Header.Get("Content-Length") != "" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	empty := &Object{Status: 404, Header: http.Header{}}
	if res, _ := serve(t, empty, http.MethodGet, http.Header{}); res.StatusCode != http.StatusNotFound || res.ContentLength != 0 {
		t.Errorf("%d, length %d", res.StatusCode, res.ContentLength)
	}
}

// The first error ends the writing, and the count is of what was written.
func TestReplyStopsAtAnError(t *testing.T) {
	o := rich()
	answer := evaluate(fields("Range: bytes=0-1,4-5"), o, http.MethodGet).prepare(http.Header{}, o)
	for limit := range answer.length {
		w := &limitedWriter{left: limit}
		if n, err := answer.WriteTo(w); !errors.Is(err, io.ErrShortWrite) || n != limit {
			t.Errorf("of %d bytes: %d, %v", limit, n, err)
		}
		if w.after {
			t.Errorf("after %d bytes it went on writing", limit)
		}
	}
}

type limitedWriter struct {
	left  int64
	after bool
}

func (w *limitedWriter) Write(b []byte) (int, error) {
	w.after = w.left < 0
	if int64(len(b)) <= w.left {
		w.left -= int64(len(b))
		return len(b), nil
	}
	n := w.left
	w.left = -1
	return int(n), io.ErrShortWrite
}

// Ranges lie inside of the body and apart, and mean the same when spelled out.
func FuzzParseRange(f *testing.F) {
	f.Add("bytes=0-1", 10)
	f.Add("bytes=-1,0-0", 10)
	f.Add("bytes=4-2", 10)
	f.Add("bytes=1-, -9223372036854775808", 3)
	f.Fuzz(func(t *testing.T, field string, size int) {
		if size < 1 || size > 1000 {
			return
		}
		ranges, ok := parseRange(field, int64(size))
		if !ok {
			return
		}
		var spelled []string
		covered := make([]bool, size)
		for _, r := range ranges {
			for i := r.start; i < r.start+r.length; i++ {
				if covered[i] {
					t.Fatalf("%q: byte %d twice in %v", field, i, ranges)
				}
				covered[i] = true
			}
			spelled = append(spelled, strconv.FormatInt(r.start, 10)+"-"+strconv.FormatInt(r.start+r.length-1, 10))
		}
		if len(ranges) == 0 {
			return
		}
		again, ok := parseRange("bytes="+strings.Join(spelled, ","), int64(size))
		if !ok || !slices.Equal(again, ranges) {
			t.Fatalf("%q: %v became %v", field, ranges, again)
		}
	})
}
