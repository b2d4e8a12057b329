package cache_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"iqgateway/cache"
)

// TestRFC9211_2_WhatHappened: each answer says how it came about, truly and in
// the words of the standard.
func TestRFC9211_2_WhatHappened(t *testing.T) {
	const second, minute = time.Second, 70 * time.Second
	noStore := &says{fields: []string{"Cache-Control: no-store"}}
	stored := &says{fields: []string{fresh60, `Etag: "1"`}}
	for _, row := range []struct {
		name string
		// before the request that counts: the same without its fields, if says is
		// not nil.
		before *says
		pass   time.Duration
		says   *says
		do     string
		with   string
		status int
		want   map[cache.Mode]string // N = any number: in ModePolicy a part of the time is the key's own
	}{
		{name: "nothing is stored", says: stored, want: of("fwd=uri-miss; fwd-status=200; stored", "")},
		{name: "nothing is stored, and this is not", says: noStore, want: of("fwd=uri-miss; fwd-status=200", "")},
		{name: "an error", says: &says{status: 500}, status: 500, want: of("fwd=uri-miss; fwd-status=500", "")},
		{name: "stored", before: stored, pass: 5 * second, want: of("hit; ttl=N", "hit; ttl=55")},
		{name: "stored, for a part", before: stored, with: "Range: bytes=0-1", status: 206, want: of("hit; ttl=N", "hit; ttl=60")},
		{name: "stored, for who has it", before: stored, with: `If-None-Match: "1"`, status: 304, want: of("hit; ttl=N", "hit; ttl=60")},
		{name: "another variant", before: stored, with: "Accept: text/csv", want: of("fwd=vary-miss; fwd-status=200; stored", "")},
		{name: "confirmed", before: stored, pass: minute, want: of("fwd=stale; fwd-status=304; stored", "")},
		{name: "replaced", before: stored, pass: minute, says: &says{fields: []string{fresh60, `Etag: "2"`}}, want: of("fwd=stale; fwd-status=200; stored", "")},
		{name: "asked for", before: stored, pass: 5 * second, with: "Cache-Control: no-cache", want: of("fwd=request; fwd-status=304; stored", "")},
		{name: "nothing is stored, and that was all that would do", says: stored, with: "Cache-Control: only-if-cached", status: 504, want: of("detail=only-if-cached", "")},
		{name: "stale, and fresh was all that would do", before: stored, pass: minute, with: "Cache-Control: only-if-cached", status: 504, want: of("detail=only-if-cached", "")},
		{name: "stale, and taken so", before: stored, pass: minute, with: "Cache-Control: max-stale", want: of("hit; ttl=-N; detail=max-stale", "hit; ttl=-10; detail=max-stale")},
		{name: "a part of nothing", says: noStore, with: "Range: bytes=0-1", want: of("fwd=bypass; detail=condition", "")},
		{name: "a condition", before: stored, with: `If-Match: "1"`, want: of("fwd=bypass; detail=condition", "")},
		{name: "a write", says: noStore, do: "PUT /v1/a", want: of("fwd=bypass; detail=write", "")},
		{name: "a method", says: noStore, do: "FROB /v1/a", with: "X-Reads: yes", want: of("fwd=bypass; detail=method", "")},
		{name: "a caller that brings its token", says: noStore, with: "X-Credential: passthrough", want: of("fwd=bypass; detail=account", "fwd=uri-miss; fwd-status=200")},
	} {
		t.Run(row.name, func(t *testing.T) {
			bothModes(t, func(t *testing.T, mode cache.Mode) {
				sc := newScript(t, mode, stackOptions{})
				if row.before != nil {
					sc.run(t, step{says: row.before, body: "*", cache: "fwd=uri-miss"})
				}
				if row.says != nil {
					sc.says.Store(row.says)
				}
				sc.pass(row.pass)
				method, path, ok := strings.Cut(row.do, " ")
				if !ok {
					method, path = http.MethodGet, "/v1/a"
				}
				var with []string
				if row.with != "" {
					with = []string{row.with}
				}
				a := sc.ask(method, path, sc.fields(with)...)
				want := regexp.MustCompile("^" + strings.ReplaceAll(row.want[mode], "N", `\d+`) + "$")
				if !want.MatchString(a.cache) || a.status != max(row.status, http.StatusOK) {
					t.Errorf("got %d %q, want %d %q", a.status, a.cache, max(row.status, http.StatusOK), want)
				}
			})
		})
	}
}

// of is what is wanted in each mode; "" = the same in both.
func of(policy, rfc9111 string) map[cache.Mode]string {
	if rfc9111 == "" {
		rfc9111 = policy
	}
	return map[cache.Mode]string{cache.ModePolicy: policy, cache.ModeRFC9111: rfc9111}
}
