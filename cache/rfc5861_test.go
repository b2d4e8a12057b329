package cache_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"iqgateway/cache"
	"iqgateway/internal/exchange"
)

// staleRules let policy mode do what the directives of row let rfc9111 mode do.
func staleRules(mode cache.Mode, whileRevalidate, ifError time.Duration) cache.Service {
	if mode != cache.ModePolicy {
		return cache.Service{}
	}
	rule := everything()
	rule.StaleWhileRevalidate, rule.StaleIfError = whileRevalidate, ifError
	return cache.Service{Rules: []cache.Rule{*rule}}
}

// TestRFC5861_4_IfErrorOverTheWire: a failure is answered from the store for as
// long as the rule, the upstream or the caller allows, and no word forbids it
// .
func TestRFC5861_4_IfErrorOverTheWire(t *testing.T) {
	const allowed = "Cache-Control: max-age=60, stale-if-error=100"
	for _, row := range []struct {
		name    string
		field   string
		status  int
		after   time.Duration
		with    string
		policy  bool // the stored answer is used
		rfc9111 bool
	}{
		{"500", allowed, 500, 90 * time.Second, "", true, true},
		{"502", allowed, 502, 90 * time.Second, "", true, true},
		{"503", allowed, 503, 90 * time.Second, "", true, true},
		{"504", allowed, 504, 90 * time.Second, "", true, true},
		{"501", allowed, 501, 90 * time.Second, "", false, false},
		{"429", allowed, 429, 90 * time.Second, "", false, false},
		{"at its end", allowed, 500, 161 * time.Second, "", false, false},
		{"not allowed", fresh60, 500, 90 * time.Second, "", true, false}, // by the rule
		{"allowed by the caller", fresh60, 500, 90 * time.Second, "Cache-Control: stale-if-error=40", true, true},
		{"not so long by the caller", fresh60, 500, 110 * time.Second, "Cache-Control: stale-if-error=40", true, false},
		{"must-revalidate", allowed + ", must-revalidate", 500, 90 * time.Second, "", true, false},
		{"proxy-revalidate", allowed + ", proxy-revalidate", 500, 90 * time.Second, "", true, false},
		{"s-maxage", allowed + ", s-maxage=60", 500, 90 * time.Second, "", true, false},
		{"no-cache", allowed + ", no-cache", 500, 90 * time.Second, "", true, false},
		{"the caller's no-cache", allowed, 500, 90 * time.Second, "Cache-Control: no-cache", false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			bothModes(t, func(t *testing.T, mode cache.Mode) {
				sc := newScript(t, mode, stackOptions{service: staleRules(mode, 0, 100*time.Second)})
				failed := step{pass: row.after, with: []string{"X-Nothing: x"}, says: &says{status: row.status, body: "failed"}, asked: 1}
				if row.with != "" {
					failed.with = []string{row.with}
				}
				failed.status, failed.body, failed.cache = row.status, "failed", fmt.Sprint("fwd=stale; fwd-status=", row.status)
				if mode == cache.ModePolicy && row.policy || mode == cache.ModeRFC9111 && row.rfc9111 {
					failed.status, failed.body, failed.cache = 200, "answer 1", failed.cache+"; detail=error"
				}
				sc.run(t, step{says: &says{fields: []string{row.field, `Etag: "1"`}}, body: "answer 1", cache: "fwd=uri-miss"}, failed)
			})
		})
	}
}

// TestRFC5861_4_AFailureDoesNotReplace what stands in for it, though it brings
// a lifetime of its own.
func TestRFC5861_4_AFailureDoesNotReplace(t *testing.T) {
	sc := newScript(t, cache.ModeRFC9111, stackOptions{})
	good := &says{fields: []string{"Cache-Control: max-age=60, stale-if-error=100"}, body: "good"}
	bad := &says{status: 503, fields: []string{"Cache-Control: max-age=30"}, body: "bad"}
	sc.run(t,
		step{says: good, body: "good", cache: "fwd=uri-miss"},
		step{pass: 70 * time.Second, says: bad, body: "good", cache: "fwd=stale; fwd-status=503; detail=error"},
		step{body: "good", cache: "hit; ttl=-10; detail=backoff"},
		step{pass: 6 * time.Second, body: "good", cache: "fwd=stale; fwd-status=503; detail=error"},
		step{pass: 100 * time.Second, status: 503, body: "bad", cache: "fwd=stale; fwd-status=503; stored"},
		step{pass: 10 * time.Second, status: 503, body: "bad", cache: "hit"},
	)
}

// TestRFC5861_3_WhileRevalidateOverTheWire: for as long as it is allowed nobody
// waits; then all do.
func TestRFC5861_3_WhileRevalidateOverTheWire(t *testing.T) {
	const allowed = "Cache-Control: max-age=60, stale-while-revalidate=30"
	for _, row := range []struct {
		name    string
		field   string
		after   time.Duration
		with    string
		policy  string
		rfc9111 string
	}{
		{"allowed", allowed, 80 * time.Second, "", "hit; ttl=-2", "hit; ttl=-20; detail=while-revalidate"},
		{"at its end", allowed, 90 * time.Second, "", "fwd=stale", "fwd=stale"},
		{"not allowed", fresh60, 80 * time.Second, "", "hit; ttl=-2", "fwd=stale"},
		{"must-revalidate", allowed + ", must-revalidate", 80 * time.Second, "", "hit; ttl=-2", "fwd=stale"},
		{"s-maxage", allowed + ", s-maxage=60", 80 * time.Second, "", "hit; ttl=-2", "fwd=stale"},
		{"the caller's max-age", allowed, 80 * time.Second, "Cache-Control: max-age=90", "fwd=stale", "fwd=stale"},
		{"the caller's min-fresh", allowed, 80 * time.Second, "Cache-Control: min-fresh=1", "fwd=stale", "fwd=stale"},
		{"the caller's no-cache", allowed, 80 * time.Second, "Cache-Control: no-cache", "fwd=stale", "fwd=stale"},
		{"only-if-cached", allowed, 80 * time.Second, "Cache-Control: only-if-cached", "hit; ttl=-2", "hit; ttl=-20"},
	} {
		t.Run(row.name, func(t *testing.T) {
			bothModes(t, func(t *testing.T, mode cache.Mode) {
				sc := newScript(t, mode, stackOptions{service: staleRules(mode, 30*time.Second, 0)})
				want := map[cache.Mode]string{cache.ModePolicy: row.policy, cache.ModeRFC9111: row.rfc9111}[mode]
				if mode == cache.ModePolicy && row.after == 90*time.Second {
					return // up to three seconds earlier: see TestPolicyLifetimesDiffer
				}
				second := step{pass: row.after, body: "answer 2", cache: want}
				if row.with != "" {
					second.with = []string{row.with}
				}
				if strings.HasPrefix(want, "hit") {
					second.body, second.asked = "answer 1", -1
				}
				sc.run(t, step{says: &says{fields: []string{row.field}}, body: "answer 1", cache: "fwd=uri-miss"}, second)
				eventually(t, "one request in all beyond the first", func() bool { return sc.asked.Load() == 2 })
			})
		})
	}
}

// TestRFC5861_3_ARefreshThatFails is not tried again with each request: a sick
// upstream is let rest, and the stored answer is used on.
func TestRFC5861_3_ARefreshThatFails(t *testing.T) {
	for _, row := range []struct {
		name string
		says *says
	}{
		{"500", &says{status: 500}},
		{"429", &says{status: 429}},
		{"403", &says{status: 403}},
		{"no answer", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			bothModes(t, func(t *testing.T, mode cache.Mode) {
				refreshed := make(chan error, 100)
				sc := newScript(t, mode, stackOptions{
					service: staleRules(mode, time.Hour, 0),
					options: func(int) cache.Options {
						return cache.Options{Hooks: cache.Hooks{Refreshed: func(i cache.WorkInfo) { refreshed <- i.Err }}}
					},
					wrap: func(next http.RoundTripper) http.RoundTripper {
						return tripper(func(r *http.Request) (*http.Response, error) {
							resp, err := next.RoundTrip(r)
							if err == nil && resp.Header.Get("X-Lost") != "" {
								_ = resp.Body.Close()
								return nil, exchange.Refuse(exchange.UpstreamUnreachable, "no answer")
							}
							return resp, err
						})
					},
				})
				bad := row.says
				if bad == nil {
					bad = &says{fields: []string{"X-Lost: yes"}}
				}
				stale := step{body: "answer 1", cache: "hit; ttl=-", asked: -1}
				sc.run(t, step{says: &says{fields: []string{"Cache-Control: max-age=60, stale-while-revalidate=3600"}}, body: "answer 1", cache: "fwd=uri-miss"})
				for i, pass := range []time.Duration{70 * time.Second, 6 * time.Second} {
					stale.pass, stale.says = pass, bad
					sc.run(t, stale)
					if err := <-refreshed; (err != nil) != (row.says == nil) {
						t.Errorf("the refresh is reported with %v", err)
					}
					stale.pass = 0
					eventually(t, "the rest", func() bool { return !sc.nodes[0].cache.Refreshing() })
					for range 10 {
						sc.run(t, stale)
					}
					eventually(t, "no refresh", func() bool { return !sc.nodes[0].cache.Refreshing() })
					sc.wantAsked(int64(2 + i))
				}
			})
		})
	}
}
