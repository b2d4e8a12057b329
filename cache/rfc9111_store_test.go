package cache_test

import (
	"net/http"
	"testing"
	"time"

	"iqgateway/cache"
)

// TestRFC9111_3_StoredAnswers: what is stored by the upstream's word, and what
// by the rule's.
func TestRFC9111_3_StoredAnswers(t *testing.T) {
	const fresh = "Cache-Control: max-age=60"
	const hit, miss, stale = "hit", "fwd=uri-miss", "fwd=stale"
	runAgain(t, cache.Service{}, []again{
		{name: "fresh", answer: []string{fresh}, policy: hit, rfc9111: hit},
		{name: "nothing is said", policy: hit, rfc9111: miss},
		{name: "no-store", answer: []string{"Cache-Control: max-age=60, No-Store"}, policy: miss, rfc9111: miss},
		{name: "no-store on a line of its own", answer: []string{fresh, "Cache-Control: no-store"}, policy: miss, rfc9111: miss},
		{name: "no-store within a quoted text", answer: []string{`Cache-Control: x="a, no-store", max-age=60`}, policy: hit, rfc9111: hit},
		{name: "private", answer: []string{"Cache-Control: private, max-age=60"}, policy: hit, rfc9111: miss},
		{name: "no-cache", answer: []string{"Cache-Control: no-cache", `Etag: "1"`}, policy: hit, rfc9111: "fwd=stale; fwd-status=304"},
		{name: "no-cache and nothing to ask with", answer: []string{"Cache-Control: no-cache"}, policy: hit, rfc9111: miss},
		{name: "stale at once", answer: []string{"Cache-Control: max-age=0", `Etag: "1"`}, policy: hit, rfc9111: "fwd=stale; fwd-status=304"},
		{name: "204", status: 204, answer: []string{fresh}, policy: hit, rfc9111: hit},
		{name: "299", status: 299, answer: []string{fresh}, policy: miss, rfc9111: hit},
		{name: "301", status: 301, answer: []string{fresh}, policy: hit, rfc9111: hit},
		{name: "302", status: 302, answer: []string{fresh}, policy: miss, rfc9111: hit},
		{name: "307", status: 307, answer: []string{fresh}, policy: miss, rfc9111: hit},
		{name: "308", status: 308, answer: []string{fresh}, policy: hit, rfc9111: hit},
		{name: "400", status: 400, answer: []string{fresh}, policy: miss, rfc9111: hit},
		{name: "403", status: 403, answer: []string{fresh}, policy: miss, rfc9111: hit},
		{name: "404", status: 404, answer: []string{fresh}, policy: miss, rfc9111: hit},
		{name: "500", status: 500, answer: []string{fresh}, policy: miss, rfc9111: hit},
		{name: "503", status: 503, answer: []string{fresh}, policy: miss, rfc9111: hit},
		{name: "500 without a lifetime", status: 500, policy: miss, rfc9111: miss},
		{name: "must-understand", answer: []string{"Cache-Control: must-understand, no-store, max-age=60"}, policy: miss, rfc9111: hit},
		{name: "must-understand, but it is not", status: 299, answer: []string{"Cache-Control: must-understand, no-store, max-age=60"}, rfc9111: miss},
		{name: "a cookie", answer: []string{fresh, "Set-Cookie: a=1"}, policy: hit, rfc9111: hit},
		{name: "encoded as nobody asked", answer: []string{fresh, "Content-Encoding: br"}, policy: miss, rfc9111: miss},
		{name: "a part", status: 206, answer: []string{fresh, "Content-Range: bytes 0-7/20", `Etag: "1"`}, policy: miss, rfc9111: miss},
		{name: "a part without saying so", answer: []string{fresh, "Content-Range: bytes 0-7/20"}, policy: miss, rfc9111: miss},
		{name: "stale, and nothing allows it", answer: []string{fresh}, after: time.Minute, policy: stale, rfc9111: stale},
	})
}

// TestRFC9111_3_NegativeAnswers: in policy mode those have a time of their own.
func TestRFC9111_3_NegativeAnswers(t *testing.T) {
	for _, status := range []int{404, 410} {
		rule := everything()
		rule.NegativeTTL, rule.StaleIfError, rule.StaleWhileRevalidate = 20*time.Second, time.Hour, time.Hour
		sc := newScript(t, cache.ModePolicy, stackOptions{rule: rule})
		sc.run(t,
			step{says: &says{status: status}, status: status, body: "answer 1", cache: "fwd=uri-miss"},
			step{pass: 18 * time.Second, status: status, body: "answer 1", cache: "hit"},
			step{pass: 2 * time.Second, says: &says{status: 500}, status: 500, body: "answer 2", cache: "fwd=stale; fwd-status=500"},
		)
	}
}

// TestRFC9111_3_5_AuthorizedAnswers: an answer to a request with the gateway's
// credential is stored by the upstream's leave only. What the caller brought to
// the gateway is another thing.
func TestRFC9111_3_5_AuthorizedAnswers(t *testing.T) {
	const hit, miss = "hit", "fwd=uri-miss"
	credential := []string{"X-Policy: authenticated"}
	var rows []again
	for _, row := range []struct{ directives, authorized string }{
		{"max-age=60", miss},
		{"proxy-revalidate, max-age=60", miss},
		{"immutable, max-age=60", miss},
		{"public, max-age=60", hit},
		{"must-revalidate, max-age=60", hit},
		{"s-maxage=60", hit},
	} {
		answer := []string{"Cache-Control: " + row.directives}
		own := []string{"Authorization: Bearer of-the-caller"}
		rows = append(
			rows,
			again{name: row.directives, answer: answer, first: credential, second: credential, policy: hit, rfc9111: row.authorized},
			again{name: row.directives + ", without a credential", answer: answer, policy: hit, rfc9111: hit},
			again{name: row.directives + ", with the caller's own", answer: answer, first: own, second: own, policy: hit, rfc9111: hit},
		)
	}
	runAgain(t, cache.Service{}, rows)
}

// TestRFC9111_3_1_FieldsOfOneExchange are neither stored nor taken from a 304.
func TestRFC9111_3_1_FieldsOfOneExchange(t *testing.T) {
	bothModes(t, func(t *testing.T, mode cache.Mode) {
		sc := newScript(t, mode, stackOptions{})
		const fresh, tag = "Cache-Control: max-age=60", `Etag: "1"`
		gone := []string{"Set-Cookie: ", "X-Hop: ", "X-Ratelimit-Remaining: ", "X-Request-Id: ", "Connection: ", "X-Kept: yes"}
		one := []string{fresh, tag, "X-Kept: yes", "Set-Cookie: a=1", "Connection: X-Hop", "X-Hop: 1", "X-RateLimit-Remaining: 1", "X-Request-Id: 1"}
		sc.run(t,
			step{says: &says{fields: one}, body: "answer 1", cache: "fwd=uri-miss", has: []string{"X-Kept: yes"}},
			step{body: "answer 1", cache: "hit", has: gone},
			step{pass: time.Minute, body: "answer 1", cache: "fwd=stale; fwd-status=304", has: gone},
			step{body: "answer 1", cache: "hit", has: gone},
		)
	})
}

// TestRFC9111_4_1_VariantsOverTheWire: the fields that select, those that
// select nothing, and what the upstream gets of them.
func TestRFC9111_4_1_VariantsOverTheWire(t *testing.T) {
	bothModes(t, func(t *testing.T, mode cache.Mode) {
		sc := newScript(t, mode, stackOptions{service: cache.Service{Forward: []string{"X-Tenant"}}})
		fields := []string{"Cache-Control: max-age=60", "Vary: Accept", "Vary: accept-language, X-Tenant, X-Unsent"}
		en := "Accept-Language: en-GB, fr;q=0.5"
		sc.run(t,
			step{says: &says{fields: fields}, with: []string{en}, body: "answer 1", cache: "fwd=uri-miss", sent: []string{"X-Unsent: "}},
			step{with: []string{"Accept-Language: FR;q=0.5 ,EN-gb"}, body: "answer 1", cache: "hit"},
			step{with: []string{"Accept-Language: fr;q=0.5", "Accept-Language: en-gb"}, body: "answer 1", cache: "hit"},
			step{with: []string{en, "X-Unsent: 1", "User-Agent: other", "Cookie: a=1"}, body: "answer 1", cache: "hit"},
			step{with: []string{"Accept-Language: de"}, body: "answer 2", cache: "fwd=vary-miss", sent: []string{"Accept-Language: de"}},
			step{with: []string{en, "X-Tenant: 7"}, body: "answer 3", cache: "fwd=vary-miss", sent: []string{"X-Tenant: 7"}},
			step{with: []string{en, "Accept: text/csv"}, body: "answer 4", cache: "fwd=vary-miss", sent: []string{"Accept: text/csv"}},
			step{body: "answer 5", cache: "fwd=vary-miss", sent: []string{"Accept-Language: ", "X-Tenant: "}},
			step{with: []string{"Accept-Language: de"}, body: "answer 2", cache: "hit"},
			step{with: []string{en}, body: "answer 1", cache: "hit"},
		)
	})
}

// TestRFC9111_4_1_VaryThatMatchesNothing is stored in no mode.
func TestRFC9111_4_1_VaryThatMatchesNothing(t *testing.T) {
	var rows []again
	for _, vary := range [][]string{
		{"Vary: *"}, {"Vary: Accept, *"}, {"Vary: Accept", "Vary: *"}, {"Vary: Cookie"}, {"Vary: authorization"}, {"Vary: a b"},
	} {
		rows = append(rows, again{
			name: vary[len(vary)-1], answer: append([]string{"Cache-Control: max-age=60"}, vary...),
			policy: "fwd=uri-miss", rfc9111: "fwd=uri-miss",
		})
	}
	runAgain(t, cache.Service{}, rows)
}

// TestRFC9111_4_4_WhatAWriteNames: the places that a write's answer names, of
// this origin only.
func TestRFC9111_4_4_WhatAWriteNames(t *testing.T) {
	for _, name := range []string{"Location", "Content-Location"} {
		bothModes(t, func(t *testing.T, mode cache.Mode) {
			for reference, drops := range map[string]bool{
				"/v1/a": true, "a": true, "/v1/a?x=1": true, "//other.example/v1/a": false, "http://other.example/v1/a": false, "/v1/ab": false,
			} {
				sc := newScript(t, mode, stackOptions{})
				const fresh = "Cache-Control: max-age=60"
				after := step{body: "answer 1", cache: "hit"}
				if drops {
					after = step{says: &says{}, body: "answer 3", cache: "fwd=uri-miss"}
				}
				sc.run(t,
					step{says: &says{fields: []string{fresh}}, body: "answer 1", cache: "fwd=uri-miss"},
					step{
						do: "POST /v1/b", says: &says{fields: []string{name + ": " + reference}, status: http.StatusCreated},
						status: http.StatusCreated, body: "answer 2", cache: "fwd=", // through the cache, not from it
					},
					after,
				)
			}
		})
	}
}
