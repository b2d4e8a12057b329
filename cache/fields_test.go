package cache

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func names(h http.Header) []string { return slices.Sorted(maps.Keys(h)) }

// What an answer says of its connection, session, way, moment or request is not
// of the next caller (RFC 9111, section 3.1).
func TestRFC9111_3_1_FieldsThatAreNotStored(t *testing.T) {
	kept := fields("Content-Type: application/json", `Etag: "1"`, "Date: "+monday, "Last-Modified: "+monday,
		"Cache-Control: private", "Expires: -1", "Vary: Accept", "Link: </x>; rel=next", "Location: /x",
		"Content-Language: en-US", "Content-Encoding: gzip", "X-Total-Count: 5", "Www-Authenticate: Basic")
	for _, line := range []string{
		"Connection: close", "Keep-Alive: timeout=5", "TE: trailers", "Trailer: X-Sum", "Transfer-Encoding: chunked",
		"Upgrade: h2c", "Proxy-Authenticate: Basic", "Proxy-Authorization: x", "Proxy-Authentication-Info: x",
		"Proxy-Connection: close", "Proxy-Status: x", "Content-Length: 5", "Content-Range: bytes 0-1/2",
		"Set-Cookie: s=1", "set-cookie2: s=1", "Authentication-Info: x",
		"X-RateLimit-Limit: 1000", "X-RateLimit-Remaining: 999", "X-RateLimit-Reset: 10/11/2018 15:55:00",
		"X-RateLimit-ResetSeconds: 17", "IQ-APIM-RateLimit-Limit: 1500", "COVA-APIM-RateLimit-Limit: 1", "RateLimit: x",
		"RateLimit-Policy: x", "RateLimit-Remaining: 1", "X-Rate-Limit-Limit: 5", "Retry-After: 3",
		"X-Request-Id: r", "Request-Id: r", "X-Ms-Request-Id: r", "X-Amzn-RequestId: r", "X-Correlation-ID: r",
		"Request-Context: r", "Traceparent: t", "Tracestate: t", "Traceresponse: t", "X-B3-TraceId: t", "X-Amzn-Trace-Id: t",
		"Baggage: b", "Ms-Cv-Activity-Id: a", "Age: 5", "Via: 1.1 x", "Cache-Status: x; hit", "X-Cache: HIT",
		"Server-Timing: db;dur=5", "Alt-Svc: h3", "Warning: 110", "X-Quota-Source: upstream",
	} {
		h := kept.Clone()
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
		if len(h) != len(kept)+1 {
			t.Fatalf("%s is among the fields that are kept", name)
		}
		if got := storedHeader(h); !maps.EqualFunc(got, kept, slices.Equal[[]string]) {
			t.Errorf("with %s stored: %v", name, names(got))
		}
	}
}

func TestRFC9111_3_1_FieldsNamedByConnection(t *testing.T) {
	got := storedHeader(fields("Connection: close, x-one,,", "Connection: X-Two", "X-One: 1", "X-Two: 2", "X-Three: 3"))
	if !slices.Equal(names(got), []string{"X-Three"}) {
		t.Errorf("stored: %v", names(got))
	}
}

func TestStoredHeaderIsACopy(t *testing.T) {
	h := fields("X-A: 1", "X-A: 2", "X-B: 3", "Set-Cookie: s")
	got := storedHeader(h)
	h["X-A"][1] = "changed"
	got["X-A"] = append(got["X-A"], "more")
	if !slices.Equal(got["X-A"], []string{"1", "2", "more"}) || !slices.Equal(got["X-B"], []string{"3"}) {
		t.Errorf("stored: %v", got)
	}
	if got := storedHeader(http.Header{}); got == nil {
		t.Error("an empty header counts as too large")
	}
}

func TestStoredHeaderIsBounded(t *testing.T) {
	many := http.Header{}
	for i := range maxStoredFields {
		many.Set(fmt.Sprintf("X-%d", i), "1")
	}
	if storedHeader(many) == nil {
		t.Error("as many fields as allowed are refused")
	}
	many.Add("X-0", "2")
	if storedHeader(many) != nil {
		t.Error("too many lines are kept")
	}
	if storedHeader(fields("X-Large: "+strings.Repeat("x", maxStoredHeader))) != nil {
		t.Error("too large a field is kept")
	}
	dropped := fields("Set-Cookie: "+strings.Repeat("x", maxStoredHeader), "X-A: 1")
	if storedHeader(dropped) == nil {
		t.Error("what is not stored counts")
	}
}

func BenchmarkStoredHeader(b *testing.B) {
	h := fields("Content-Type: application/json", "Date: "+monday, `Etag: "1"`, "Cache-Control: private", "Vary: Accept",
		"X-RateLimit-Limit: 1000", "X-RateLimit-Remaining: 1", "Server: x", "X-Powered-By: x", "Content-Length: 5")
	b.ReportAllocs()
	for b.Loop() {
		if len(storedHeader(h)) != 7 {
			b.Fatal(storedHeader(h))
		}
	}
}
