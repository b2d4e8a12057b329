package cache_test

import (
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"iqgateway/cache"
)

// digits is an answer to take parts of.
func digits(fields ...string) *says {
	return &says{
		fields: append([]string{fresh60, `Etag: "1"`, "Last-Modified: {-100}", "Content-Type: text/plain"}, fields...),
		body:   "0123456789",
	}
}

// TestRFC9110_14_RangesFromTheStore: a part of a stored answer costs nothing
// .
func TestRFC9110_14_RangesFromTheStore(t *testing.T) {
	for _, row := range []struct {
		with   string // fields, separated by " | "
		status int
		body   string
		has    string
	}{
		{"Range: bytes=0-3", 206, "0123", "Content-Range: bytes 0-3/10"},
		{"Range: bytes=7-", 206, "789", "Content-Range: bytes 7-9/10"},
		{"Range: bytes=-3", 206, "789", "Content-Range: bytes 7-9/10"},
		{"Range: bytes=-30", 206, "0123456789", "Content-Range: bytes 0-9/10"},
		{"Range: bytes=8-100", 206, "89", "Content-Range: bytes 8-9/10"},
		{"Range: bytes=10-", 416, "", "Content-Range: bytes */10"},
		{"Range: bytes=-0", 416, "", "Content-Range: bytes */10"},
		{"Range: bytes=3-1", 200, "0123456789", "Content-Range: "},
		{"Range: lines=0-1", 200, "0123456789", "Content-Range: "},
		{"Range: bytes=a-b", 200, "0123456789", "Content-Range: "},
		{`Range: bytes=0-3 | If-Range: "1"`, 206, "0123", "Content-Length: 4"},
		{`Range: bytes=0-3 | If-Range: "2"`, 200, "0123456789", "Content-Length: 10"},
		{`Range: bytes=0-3 | If-Range: W/"1"`, 200, "0123456789", "Content-Length: 10"},
		{`Range: bytes=0-3 | If-Range: {-100}`, 206, "0123", "Content-Length: 4"},
		{`Range: bytes=0-3 | If-Range: {-99}`, 200, "0123456789", "Content-Length: 10"},
		{`Range: bytes=0-3 | If-None-Match: "1"`, 304, "", "Content-Range: "},
		{`Range: bytes=0-3 | If-None-Match: "2"`, 206, "0123", "Content-Length: 4"},
		{`Range: bytes=0-3 | If-Modified-Since: {-100}`, 304, "", "Content-Range: "},
		{`Range: bytes=90- | If-None-Match: "1"`, 304, "", "Content-Range: "},
		{`Range: bytes=0-3 | If-Range: "2" | If-None-Match: "1"`, 304, "", "Content-Range: "},
	} {
		t.Run(row.with, func(t *testing.T) {
			bothModes(t, func(t *testing.T, mode cache.Mode) {
				sc := newScript(t, mode, stackOptions{})
				ask := step{with: strings.Split(sc.dates(row.with), " | "), status: row.status, body: row.body, cache: "hit", has: []string{row.has, `Etag: "1"`}}
				sc.run(t, step{says: digits(), body: "0123456789", cache: "fwd=uri-miss"}, ask)
			})
		})
	}
}

// TestRFC9110_15_3_7_2_SeveralParts can be read by a client of multipart.
func TestRFC9110_15_3_7_2_SeveralParts(t *testing.T) {
	bothModes(t, func(t *testing.T, mode cache.Mode) {
		sc := newScript(t, mode, stackOptions{})
		sc.run(t, step{says: digits(), body: "0123456789", cache: "fwd=uri-miss"})
		for _, pass := range []time.Duration{0, 70 * time.Second} { // from memory, and as the answer of the outbound stage
			sc.pass(pass)
			a := sc.get("/v1/a", sc.fields([]string{"Range: bytes=0-1, -2"})...)
			kind, params, err := mime.ParseMediaType(a.header.Get("Content-Type"))
			if a.status != 206 || err != nil || kind != "multipart/byteranges" || a.header.Get("Content-Length") != fmt.Sprint(len(a.body)) {
				t.Fatalf("got %d %v %v", a.status, a.header, err)
			}
			r := multipart.NewReader(strings.NewReader(a.body), params["boundary"])
			for _, want := range []string{"bytes 0-1/10 text/plain 01", "bytes 8-9/10 text/plain 89"} {
				part, err := r.NextPart()
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(part)
				if got := fmt.Sprintf("%s %s %s", part.Header.Get("Content-Range"), part.Header.Get("Content-Type"), text); err != nil || got != want {
					t.Errorf("got %q, %v; want %q", got, err, want)
				}
			}
		}
		sc.wantAsked(2)
	})
}

// TestRFC9111_3_3_PartsAreNotStored: a part that nothing is stored for comes
// from the origin as it was asked for, and is nobody else's answer.
func TestRFC9111_3_3_PartsAreNotStored(t *testing.T) {
	bothModes(t, func(t *testing.T, mode cache.Mode) {
		sc := newScript(t, mode, stackOptions{})
		part := &says{status: 206, fields: []string{fresh60, `Etag: "1"`, "Content-Range: bytes 0-3/10"}, body: "0123"}
		ask := step{with: []string{"Range: bytes=0-3", `If-Range: "1"`}, status: 206, body: "0123", cache: "fwd=bypass", sent: []string{"Range: bytes=0-3", `If-Range: "1"`}}
		first := ask
		first.says = part
		sc.run(t, first, ask, step{says: digits(), body: "0123456789", cache: "fwd=uri-miss", sent: []string{"Range: "}})
		ask.cache, ask.sent = "hit", nil
		sc.run(t, ask)
	})
}

// TestRFC9110_14_2_PartsOfWhatIsStale: the whole is confirmed or fetched once,
// and the part cut from it; what cannot be kept is given whole, and not asked
// for twice.
func TestRFC9110_14_2_PartsOfWhatIsStale(t *testing.T) {
	part := []string{"Range: bytes=0-3"}
	for _, row := range []struct {
		name   string
		says   *says
		status int
		body   string
		cache  string
	}{
		{"confirmed", digits(), 206, "0123", "fwd=stale; fwd-status=304; stored"},
		{"another one", &says{fields: []string{fresh60, `Etag: "2"`}, body: "abcdefgh"}, 206, "abcd", "fwd=stale; fwd-status=200; stored"},
		{"of unknown length", &says{fields: []string{fresh60, `Etag: "2"`, "Trailer: X-End"}, body: "abcdefgh"}, 206, "abcd", "fwd=stale; fwd-status=200; stored"},
		{"not to be stored", &says{fields: []string{"Cache-Control: no-store"}, body: "abcdefgh"}, 200, "abcdefgh", "fwd=stale; fwd-status=200"},
		{"too large", &says{fields: []string{fresh60}, body: strings.Repeat("x", 100)}, 200, strings.Repeat("x", 100), "fwd=stale; fwd-status=200"},
		{"too large, of unknown length", &says{fields: []string{fresh60, "Trailer: X-End"}, body: strings.Repeat("x", 100)}, 200, strings.Repeat("x", 100), "fwd=stale; fwd-status=200"},
		{"gone", &says{status: 404, body: "gone"}, 404, "gone", "fwd=stale; fwd-status=404"},
		{"a failure", &says{status: 500, body: "failed"}, 500, "failed", "fwd=stale; fwd-status=500"},
	} {
		t.Run(row.name, func(t *testing.T) {
			bothModes(t, func(t *testing.T, mode cache.Mode) {
				sc := newScript(t, mode, stackOptions{service: cache.Service{MaxObject: 20}})
				sc.run(t,
					step{says: digits(), body: "0123456789", cache: "fwd=uri-miss"},
					step{pass: 70 * time.Second, says: row.says, with: part, status: row.status, body: row.body, cache: row.cache},
				)
			})
		})
	}
}

// TestRFC5861_3_PartsAndConditions: what is stale, and may be used while it is
// refreshed, is used as what is fresh.
func TestRFC5861_3_PartsAndConditions(t *testing.T) {
	bothModes(t, func(t *testing.T, mode cache.Mode) {
		rule := everything()
		rule.StaleWhileRevalidate = time.Minute
		service := cache.Service{}
		if mode == cache.ModePolicy {
			service.Rules = []cache.Rule{*rule}
		}
		for _, row := range []struct {
			do, with string
			status   int
			body     string
		}{
			{"GET /v1/a", `If-None-Match: "1"`, 304, ""},
			{"GET /v1/a", "Range: bytes=0-1", 206, "01"},
			{"HEAD /v1/a", "Range: bytes=0-1", 200, ""},
			{"GET /v1/a", "X-Nothing: x", 200, "0123456789"},
		} {
			sc := newScript(t, mode, stackOptions{service: service})
			swr := "Cache-Control: max-age=60, stale-while-revalidate=60"
			first := digits()
			first.fields[0] = swr
			sc.run(t,
				step{says: first, body: "0123456789", cache: "fwd=uri-miss"},
				step{pass: 61 * time.Second, do: row.do, with: []string{row.with}, status: row.status, body: row.body, cache: "hit; ttl=-", asked: -1},
			)
			eventually(t, "the refresh", func() bool { return sc.asked.Load() == 2 && !sc.nodes[0].cache.Refreshing() })
			if r := sc.last.Load(); r.Method != http.MethodGet || r.Header.Get("If-None-Match") != `"1"` || r.Header.Get("Range") != "" {
				t.Errorf("the refresh asked %s %v", r.Method, r.Header)
			}
			sc.wantAsked(2)
		}
	})
}
