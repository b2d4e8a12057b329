package cache_test

import (
	"net/http"
	"testing"
	"time"

	"iqgateway/cache"
)

// fresh60 lets an answer be fresh for a minute in both modes.
const fresh60 = "Cache-Control: max-age=60"

// TestRFC9111_4_3_1_OurValidators: the upstream is asked by what is stored, and
// never by what the caller has.
func TestRFC9111_4_3_1_OurValidators(t *testing.T) {
	const modified = "Last-Modified: {-9000}"
	for _, row := range []struct {
		name   string
		stored []string
		sent   []string
	}{
		{"a tag", []string{`Etag: "1"`}, []string{`If-None-Match: "1"`, "If-Modified-Since: "}},
		{"a weak tag", []string{`Etag: W/"1"`}, []string{`If-None-Match: W/"1"`, "If-Modified-Since: "}},
		{"a date", []string{modified}, []string{"If-None-Match: ", "If-Modified-Since: {-9070}"}},
		{"both", []string{modified, `Etag: "1"`}, []string{`If-None-Match: "1"`, "If-Modified-Since: {-9070}"}},
		{"none", nil, []string{"If-None-Match: ", "If-Modified-Since: "}},
	} {
		t.Run(row.name, func(t *testing.T) {
			bothModes(t, func(t *testing.T, mode cache.Mode) {
				sc := newScript(t, mode, stackOptions{})
				sc.run(t,
					step{says: &says{fields: append(row.stored, fresh60), body: "text"}, body: "text", cache: "fwd=uri-miss"},
					step{
						pass: 70 * time.Second, with: []string{`If-None-Match: "of the caller"`, "If-Modified-Since: {0}", "Range: bytes=0-9"},
						status: 206, body: "text", cache: "fwd=stale",
						sent: append(row.sent, "Range: ", "If-Range: ", "Cache-Control: "),
					},
				)
			})
		})
	}
}

// TestRFC9111_4_3_2_TheCallersConditions are answered from the store: weakly,
// by lists, tags before dates.
func TestRFC9111_4_3_2_TheCallersConditions(t *testing.T) {
	for _, tag := range []string{`"1"`, `W/"1"`} {
		for _, row := range []struct {
			name   string
			with   []string
			status int
		}{
			{"the same", []string{`If-None-Match: "1"`}, 304},
			{"the same, weak", []string{`If-None-Match: W/"1"`}, 304},
			{"in a list", []string{`If-None-Match: "a,b", W/"1" , "x"`}, 304},
			{"on a second line", []string{`If-None-Match: "9"`, `If-None-Match: "1"`}, 304},
			{"any", []string{"If-None-Match: *"}, 304},
			{"another", []string{`If-None-Match: "2", "11"`}, 200},
			{"without quotes", []string{`If-None-Match: 1`}, 200},
			{"the date", []string{"If-Modified-Since: {-100}"}, 304},
			{"a later date", []string{"If-Modified-Since: {-50}"}, 304},
			{"an earlier date", []string{"If-Modified-Since: {-101}"}, 200},
			{"no date", []string{"If-Modified-Since: yesterday"}, 200},
			{"another tag, but the date", []string{`If-None-Match: "2"`, "If-Modified-Since: {-50}"}, 200},
			{"the tag, but an earlier date", []string{`If-None-Match: "1"`, "If-Modified-Since: {-500}"}, 304},
		} {
			t.Run(row.name+" as "+tag, func(t *testing.T) {
				bothModes(t, func(t *testing.T, mode cache.Mode) {
					sc := newScript(t, mode, stackOptions{})
					var with []string
					for _, f := range row.with {
						with = append(with, sc.dates(f))
					}
					sc.run(t,
						step{says: &says{fields: []string{fresh60, "Etag: " + tag, "Last-Modified: {-100}", "X-Of: body"}, body: "text"}, body: "text", cache: "fwd=uri-miss"},
						conditional(step{with: with, cache: "hit"}, row.status, tag),
						conditional(step{do: "HEAD /v1/a", with: with, cache: "hit"}, row.status, tag),
						conditional(step{with: with, cache: "fwd=uri-miss", do: "GET /v1/b"}, row.status, tag),
					)
				})
			})
		}
	}
}

// conditional is a step that is answered by the whole text, or by 304 with what
// the caller needs to know of it and no more (RFC 9110, section 15.4.5).
func conditional(st step, status int, tag string) step {
	st.status, st.body = status, "text"
	st.has = []string{"Etag: " + tag, "X-Of: body"}
	if status == 304 {
		st.has = []string{"Etag: " + tag, fresh60, "X-Of: ", "Content-Type: "}
	}
	if status == 304 || st.do == "HEAD /v1/a" {
		st.body = ""
	}
	return st
}

// TestRFC9110_13_1_OriginConditions: whether something is still as a caller
// believes only the origin can say.
func TestRFC9110_13_1_OriginConditions(t *testing.T) {
	for _, with := range []string{`If-Match: "1"`, `If-Match: *`, "If-Unmodified-Since: Sun, 22 Nov 2026 09:00:00 GMT"} {
		bothModes(t, func(t *testing.T, mode cache.Mode) {
			sc := newScript(t, mode, stackOptions{})
			sc.run(t,
				step{says: &says{fields: []string{fresh60, `Etag: "1"`}}, body: "answer 1", cache: "fwd=uri-miss"},
				step{with: []string{with}, body: "answer 2", cache: "fwd=bypass; detail=condition", sent: []string{with}},
				step{says: &says{status: 412}, with: []string{with}, status: 412, body: "answer 3", cache: "fwd=bypass"},
				step{body: "answer 1", cache: "hit"},
			)
		})
	}
}

// TestRFC9111_4_3_3_WhatComesInstead of a confirmation replaces what is stored,
// or, when it is a failure, leaves it for the next time.
func TestRFC9111_4_3_3_WhatComesInstead(t *testing.T) {
	bothModes(t, func(t *testing.T, mode cache.Mode) {
		sc := newScript(t, mode, stackOptions{})
		one, two := &says{fields: []string{fresh60, `Etag: "1"`}}, &says{fields: []string{fresh60, `Etag: "2"`}}
		sc.run(t,
			step{says: one, body: "answer 1", cache: "fwd=uri-miss; fwd-status=200; stored"},
			step{pass: 70 * time.Second, says: &says{status: 503}, status: 503, body: "answer 2", cache: "fwd=stale; fwd-status=503", sent: []string{`If-None-Match: "1"`}, has: []string{"X-Spent: 1 503"}},
			step{says: one, body: "answer 1", cache: "fwd=stale; fwd-status=304", has: []string{"X-Spent: 1 304"}},
			step{pass: 70 * time.Second, says: two, body: "answer 3", cache: "fwd=stale; fwd-status=200; stored", sent: []string{`If-None-Match: "1"`}},
			step{body: "answer 3", cache: "hit", has: []string{`Etag: "2"`}},
			step{pass: 70 * time.Second, body: "answer 3", cache: "fwd=stale; fwd-status=304", sent: []string{`If-None-Match: "2"`}},
		)
	})
}

// TestRFC9111_4_3_4_FresheningBy304: fields are taken over, but for those that
// tell how to read the stored bytes; and in rfc9111 mode the lifetime.
func TestRFC9111_4_3_4_FresheningBy304(t *testing.T) {
	bothModes(t, func(t *testing.T, mode cache.Mode) {
		sc := newScript(t, mode, stackOptions{})
		later := step{pass: 65 * time.Second, body: "text", cache: "fwd=stale; fwd-status=304"}
		if mode == cache.ModeRFC9111 {
			later = step{pass: 65 * time.Second, body: "text", cache: "hit; ttl=55"}
		}
		sc.run(t,
			step{says: &says{fields: []string{fresh60, `Etag: "1"`, "X-Kept: 1", "X-New: 1", "Content-Type: text/plain"}, body: "text"}, body: "text", cache: "fwd=uri-miss"},
			step{
				pass: 70 * time.Second, cache: "fwd=stale; fwd-status=304", body: "text",
				says: &says{fields: []string{
					"Cache-Control: max-age=120", `Etag: "1"`, "X-New: 2", "Content-Type: text/html", "Content-Encoding: br", "Set-Cookie: a=1",
				}},
				has: []string{"X-Kept: 1", "X-New: 2", "Content-Type: text/plain", "Content-Encoding: ", "Set-Cookie: ", "Cache-Control: max-age=120", "Content-Length: 4", "Age: 0"},
			},
			step{body: "text", cache: "hit", has: []string{"X-Kept: 1", "X-New: 2", "Content-Type: text/plain", "Content-Length: 4"}},
			later,
		)
	})
}

// TestRFC9111_4_3_5_FresheningByHEAD: it goes upstream as HEAD, stores nothing,
// and freshens or drops the stored GET.
func TestRFC9111_4_3_5_FresheningByHEAD(t *testing.T) {
	const one = `Etag: "1"`
	get := step{says: &says{fields: []string{fresh60, one}, body: "text"}, body: "text", cache: "fwd=uri-miss"}
	head := func(status int, fields ...string) step {
		return step{
			pass: 70 * time.Second, do: "HEAD /v1/a", says: &says{status: status, fields: append(fields, fresh60), body: "text"},
			status: status, cache: "fwd=stale",
		}
	}
	for _, row := range []struct {
		name string
		head step
		next string // how the GET after it is answered
	}{
		{"confirmed", head(200, one, "X-New: 1"), "hit"},
		{"nothing is said", head(200), "fwd=stale"},
		{"another tag", head(200, `Etag: "2"`), "fwd=uri-miss"},
		{"another length", head(200, one, "Content-Length: 5"), "fwd=uri-miss"},
		{"another status", head(301, one), "fwd=uri-miss"},
		{"gone", head(404), "fwd=uri-miss"},
		{"a failure", head(503), "fwd=stale"},
		{"forbidden", head(403), "fwd=stale"},
	} {
		t.Run(row.name, func(t *testing.T) {
			bothModes(t, func(t *testing.T, mode cache.Mode) {
				sc := newScript(t, mode, stackOptions{})
				next := step{says: get.says, body: "text", cache: row.next}
				if row.next == "hit" {
					next.says, next.has = nil, []string{"X-New: 1", "Age: 0"}
				}
				sc.run(t, get, row.head)
				if r := sc.last.Load(); r.Method != http.MethodHead || r.Header.Get("If-None-Match") != "" {
					t.Errorf("HEAD went upstream as %s %v", r.Method, r.Header)
				}
				sc.run(t, next)
			})
		})
	}
}

// TestRFC9110_9_3_2_HEAD is answered by a stored GET, and is stored itself for
// nobody.
func TestRFC9110_9_3_2_HEAD(t *testing.T) {
	bothModes(t, func(t *testing.T, mode cache.Mode) {
		sc := newScript(t, mode, stackOptions{})
		sc.run(t,
			step{do: "HEAD /v1/a", says: &says{fields: []string{fresh60}, body: "text"}, cache: "fwd=uri-miss; fwd-status=200", has: []string{"Content-Length: 4"}},
			step{body: "text", cache: "fwd=uri-miss"},
			step{do: "HEAD /v1/a", cache: "hit", has: []string{"Content-Length: 4"}},
			step{do: "HEAD /v1/a", with: []string{"Range: bytes=0-1"}, cache: "hit", has: []string{"Content-Length: 4", "Content-Range: "}},
		)
	})
}
