package cache

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
)

// The same conditions and ranges, answered by net/http for a file with the
// same validators, come to the same end.
func TestConditionsAgreeWithNetHTTP(t *testing.T) {
	tags := []string{"", `"a"`, `W/"a"`, `"b"`, `"b", W/"a"`, `"c" , "d"`, "*"}
	dates := []string{"", monday, tuesday, friday, "never"}
	choices := map[string][]string{
		"If-Match": append(tags, "", "", "", ""), "If-None-Match": append(tags, ""),
		"If-Unmodified-Since": append(dates, "", ""), "If-Modified-Since": dates,
		"If-Range": {"", "", "", `"a"`, `W/"a"`, `"b"`, tuesday, monday, friday},
		"Range":    {"", "bytes=0-3", "bytes=5-", "bytes=-2", "bytes=99-", "bytes=0-0,4-5"},
	}
	r := rand.New(rand.NewPCG(3, 4))
	seen := map[int]int{}
	for range 20_000 {
		tag := []string{`"a"`, `W/"a"`}[r.IntN(2)]
		method := []string{http.MethodGet, http.MethodGet, http.MethodHead}[r.IntN(3)]
		request := httptest.NewRequest(method, "/", nil)
		for name, values := range choices {
			if value := values[r.IntN(len(values))]; value != "" {
				request.Header.Set(name, value)
			}
		}
		o := stored("Etag: "+tag, "Last-Modified: "+tuesday, "Date: "+friday, "Content-Type: text/plain")
		want := servedByNetHTTP(o, request)
		out := evaluate(request.Header, o, method)
		header := http.Header{}
		answer := out.prepare(header, o)
		if method == http.MethodHead { // net/http heeds Range there, against RFC 9110, section 14.2
			if want.Code == http.StatusPartialContent || want.Code == http.StatusRequestedRangeNotSatisfiable {
				want.Code = http.StatusOK
			}
		} else if got, want := header.Get("Content-Range"), want.Header().Get("Content-Range"); got != want {
			t.Fatalf("%v with %s: Content-Range %q, want %q", request.Header, tag, got, want)
		}
		if answer.status != want.Code {
			t.Fatalf("%s %v with %s: %d, want %d", method, request.Header, tag, answer.status, want.Code)
		}
		if answer.status == http.StatusOK && answer.length != int64(want.Body.Len()) && method == http.MethodGet {
			t.Fatalf("%v: %d bytes, want %d", request.Header, answer.length, want.Body.Len())
		}
		seen[answer.status]++
	}
	for _, status := range []int{200, 206, 304, 412, 416} {
		if seen[status] < 50 {
			t.Errorf("%d was compared %d times only", status, seen[status])
		}
	}
}

func servedByNetHTTP(o *Object, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	for _, name := range []string{"Etag", "Content-Type"} {
		w.Header().Set(name, o.Header.Get(name))
	}
	modified, _ := parseHTTPDate(o.Header.Get("Last-Modified"))
	http.ServeContent(w, r, "", modified, bytes.NewReader(o.Body))
	return w
}
