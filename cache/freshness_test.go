package cache

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// httpAt is a date relative to sunday, as a field value.
func httpAt(d time.Duration) string { return sunday().Add(d).Format(http.TimeFormat) }

// headerOf makes a header of names and values in turn.
func headerOf(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i+1 < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// upstreamSays is freshness of an answer with status 200 in ModeRFC9111.
func upstreamSays(s *Service, status int, h http.Header) terms {
	s.Mode = ModeRFC9111
	return freshness(s, nil, "key", status, h, 0, sunday())
}

func TestRFC9111_4_2_1_Lifetime(t *testing.T) {
	const soon = time.Hour
	tests := []struct {
		name string
		h    http.Header
		want time.Duration
	}{
		{"s-maxage before max-age", headerOf("Cache-Control", "max-age=1, s-maxage=2", "Expires", httpAt(soon)), 2 * time.Second},
		{"max-age before Expires", headerOf("Cache-Control", "max-age=1", "Expires", httpAt(soon)), time.Second},
		{"Expires", headerOf("Date", httpAt(-time.Minute), "Expires", httpAt(soon)), soon + time.Minute},
		{"Expires without Date", headerOf("Expires", httpAt(soon)), soon},
		{"Expires with a Date that is none", headerOf("Date", "x", "Expires", httpAt(soon)), soon},
		{"Expires in the past", headerOf("Date", httpAt(0), "Expires", httpAt(-soon)), 0},
		{"5.3: Expires that is no date", headerOf("Expires", "0", "Last-Modified", httpAt(-soon)), 0},
		{"5.3: Expires in another zone", headerOf("Expires", "Sun, 22 Nov 2026 09:00:00 CET"), 0},
		{"Expires twice, the same", headerOf("Expires", httpAt(soon), "Expires", httpAt(soon)), soon},
		{"Expires twice", headerOf("Expires", httpAt(soon), "Expires", httpAt(soon+time.Second)), 0},
		{"Expires with a list", headerOf("Expires", httpAt(soon)+", "+httpAt(soon)), 0},
		{"a directive that is no number", headerOf("Cache-Control", "max-age=x", "Expires", httpAt(soon)), 0},
		{"s-maxage that is no number", headerOf("Cache-Control", "max-age=5, s-maxage=x"), 0},
		{"1.2.2: too long", headerOf("Cache-Control", "max-age=99999999999"), maxDelta},
		{"Expires too far", headerOf("Expires", "Fri, 31 Dec 9999 23:59:59 GMT"), maxDelta},
		{"Age takes nothing off", headerOf("Cache-Control", "max-age=5", "Age", "3"), 5 * time.Second},
		{"none", headerOf(), 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := upstreamSays(&Service{}, http.StatusOK, test.h).Lifetime; got != test.want {
				t.Errorf("lifetime = %v, want %v", got, test.want)
			}
		})
	}
}

func TestRFC9111_4_2_2_Heuristic(t *testing.T) {
	tenDays := headerOf("Date", httpAt(0), "Last-Modified", httpAt(-100*time.Hour))
	tests := []struct {
		name   string
		status int
		h      http.Header
		want   time.Duration
	}{
		{"a tenth since the last change", 200, tenDays, 10 * time.Hour},
		{"no longer than a day", 200, headerOf("Date", httpAt(0), "Last-Modified", httpAt(-1000*time.Hour)), 24 * time.Hour},
		{"counted from Date", 200, headerOf("Date", httpAt(-20*time.Hour), "Last-Modified", httpAt(-100*time.Hour)), 8 * time.Hour},
		{"without Date from when it came", 200, headerOf("Last-Modified", httpAt(-100*time.Hour)), 10 * time.Hour},
		{"changed after Date", 200, headerOf("Date", httpAt(0), "Last-Modified", httpAt(time.Hour)), 0},
		{"never changed", 200, headerOf("Date", httpAt(0)), 0},
		{"no date", 200, headerOf("Last-Modified", "x"), 0},
		{"a status that is not heuristically cacheable", 302, tenDays, 0},
		{"unless it is public", 302, withFields(tenDays, "Cache-Control", "public"), 10 * time.Hour},
		{"not beside an explicit lifetime", 200, withFields(tenDays, "Cache-Control", "max-age=0"), 0},
		{"not beside a broken one", 200, withFields(tenDays, "Expires", "0"), 0},
		{"with other directives", 200, withFields(tenDays, "Cache-Control", "must-revalidate"), 10 * time.Hour},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := upstreamSays(&Service{}, test.status, test.h).Lifetime; got != test.want {
				t.Errorf("lifetime = %v, want %v", got, test.want)
			}
		})
	}
	for status := 200; status < 600; status++ {
		want := time.Duration(0)
		switch status {
		case 200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501: // RFC 9110, section 15.1
			want = 10 * time.Hour
		}
		if got := upstreamSays(&Service{}, status, tenDays).Lifetime; got != want {
			t.Errorf("of %d: %v, want %v", status, got, want)
		}
	}
}

// withFields returns h with more fields.
func withFields(h http.Header, pairs ...string) http.Header {
	h = h.Clone()
	for name, values := range headerOf(pairs...) {
		h[name] = append(h[name], values...)
	}
	return h
}

func TestRFC9213_2_2_Targeted(t *testing.T) {
	tests := []struct {
		name     string
		targeted bool
		h        http.Header
		want     terms
	}{
		{
			"switched off", false, headerOf("CDN-Cache-Control", "max-age=1", "Cache-Control", "max-age=2"),
			terms{Lifetime: 2 * time.Second, AllowStale: true},
		},
		{
			"before Cache-Control", true, headerOf("CDN-Cache-Control", "max-age=1", "Cache-Control", "no-cache, s-maxage=2"),
			terms{Lifetime: time.Second, AllowStale: true},
		},
		{
			"before Expires, which does not count", true,
			headerOf("CDN-Cache-Control", "must-revalidate", "Expires", httpAt(time.Hour), "Last-Modified", httpAt(-100*time.Hour)),
			terms{Lifetime: 10 * time.Hour},
		},
		{
			"no dictionary", true, headerOf("CDN-Cache-Control", "max-age=1, &", "Cache-Control", "max-age=2"),
			terms{Lifetime: 2 * time.Second, AllowStale: true},
		},
		{
			"empty", true, headerOf("CDN-Cache-Control", "", "Expires", httpAt(time.Hour)),
			terms{Lifetime: time.Hour, AllowStale: true},
		},
		{
			"s-maxage in it", true, headerOf("CDN-Cache-Control", "max-age=1, s-maxage=3, stale-if-error=9"),
			terms{Lifetime: 3 * time.Second},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := upstreamSays(&Service{Targeted: test.targeted}, http.StatusOK, test.h)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// RFC 9111, sections 5.2.2.2, 5.2.2.4, 5.2.2.8 and 5.2.2.10 forbid what RFC 5861
// allows.
func TestRFC5861_Stale(t *testing.T) {
	const allow = "max-age=10, stale-while-revalidate=20, stale-if-error=30"
	tests := []struct {
		name, control string
		want          terms
	}{
		{"3 and 4: allowed", allow, terms{
			Lifetime: 10 * time.Second, WhileRevalidate: 20 * time.Second, IfError: 30 * time.Second, AllowStale: true,
		}},
		{"not named", "max-age=10", terms{Lifetime: 10 * time.Second, AllowStale: true}},
		{"must-revalidate", allow + ", must-revalidate", terms{Lifetime: 10 * time.Second}},
		{"proxy-revalidate", allow + ", proxy-revalidate", terms{Lifetime: 10 * time.Second}},
		{"s-maxage", allow + ", s-maxage=5", terms{Lifetime: 5 * time.Second}},
		{"no-cache", allow + ", no-cache", terms{Lifetime: 10 * time.Second, Revalidate: true}},
		{"no-cache for what is not stored", allow + `, no-cache="Set-Cookie"`, terms{
			Lifetime: 10 * time.Second, WhileRevalidate: 20 * time.Second, IfError: 30 * time.Second, AllowStale: true,
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := upstreamSays(&Service{}, http.StatusOK, headerOf("Cache-Control", test.control))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestRFC8246_2_Immutable(t *testing.T) {
	if got := upstreamSays(&Service{}, 200, headerOf("Cache-Control", "max-age=10, immutable")); !got.Immutable {
		t.Error("immutable with a lifetime does not count")
	}
	if got := upstreamSays(&Service{}, 200, headerOf("Cache-Control", "immutable", "Last-Modified", httpAt(-time.Hour))); got.Immutable {
		t.Error("immutable counts for a guessed lifetime")
	}
}

func TestPolicyFreshness(t *testing.T) {
	rule := &Rule{
		TTL: 1000 * time.Second, NegativeTTL: 10 * time.Second,
		StaleWhileRevalidate: time.Minute, StaleIfError: time.Hour,
	}
	// What the upstream says about caches does not count.
	h := headerOf("Cache-Control", "no-cache, private, max-age=0, must-revalidate, immutable", "Expires", "0", "Age", "300")
	service := &Service{Mode: ModePolicy, Targeted: true}
	for status := 200; status < 600; status++ {
		got := freshness(service, rule, "key", status, h, 300*time.Second, sunday())
		remaining := got.Lifetime - 300*time.Second // counted from when it came
		got.Lifetime = 0
		switch status {
		case 200, 203, 204, 300, 301, 308:
			if remaining > rule.TTL || remaining <= rule.TTL*95/100 {
				t.Errorf("%d is fresh for %v, want %v less up to a twentieth", status, remaining, rule.TTL)
			}
			if want := (terms{WhileRevalidate: time.Minute, IfError: time.Hour, AllowStale: true}); got != want {
				t.Errorf("%d: %+v, want %+v", status, got, want)
			}
		case 404, 410:
			if remaining > rule.NegativeTTL || remaining <= rule.NegativeTTL*95/100 || got != (terms{}) {
				t.Errorf("%d: %+v for %v; want %v and not a moment stale", status, got, remaining, rule.NegativeTTL)
			}
		default:
			if got != (terms{}) || remaining != -300*time.Second {
				t.Errorf("%d: %+v for %v, want nothing", status, got, remaining)
			}
		}
	}
}

// 1 000 answers that are stored together do not expire together, and each one
// does so at the same time on all replicas.
func TestPolicyJitter(t *testing.T) {
	rule := &Rule{TTL: time.Hour}
	service := &Service{Mode: ModePolicy}
	perMinute := map[time.Duration]int{}
	for i := range 1000 {
		key := Key(fmt.Sprintf("/v1/Companies(%d)/Tree", i))
		lifetime := func() time.Duration { return freshness(service, rule, key, 200, nil, 0, sunday()).Lifetime }
		first := lifetime()
		if again := lifetime(); again != first {
			t.Fatalf("%s: %v, and then %v", key, first, again)
		}
		perMinute[(rule.TTL-first)/(6*time.Second)]++ // of 180 seconds
	}
	for slot, n := range perMinute {
		if slot < 0 || slot >= 30 || n > 80 {
			t.Errorf("%d of 1000 expire in slot %d of 30", n, slot)
		}
	}
	if tiny := freshness(service, &Rule{TTL: 19}, "k", 200, nil, 0, sunday()).Lifetime; tiny != 19 {
		t.Errorf("a lifetime of 19 ns became %v", tiny)
	}
}

func TestModeNoneFreshness(t *testing.T) {
	if got := freshness(&Service{}, &Rule{TTL: time.Hour}, "k", 200, headerOf("Cache-Control", "max-age=9"), 0, sunday()); got != (terms{}) {
		t.Errorf("a service that stores nothing has terms: %+v", got)
	}
}

func FuzzFreshness(f *testing.F) {
	f.Add("max-age=5, s-maxage=x", "max-age=1", httpAt(time.Hour), httpAt(0), httpAt(-time.Hour), "7", 200, true)
	f.Add("public", "", "0", "x", "Mon, 01 Jan 0001 00:00:00 GMT", "-1", 302, false)
	f.Add("stale-while-revalidate=9", ",", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", httpAt(0), "99999999999", 599, true)
	f.Fuzz(func(t *testing.T, control, cdn, expires, date, modified, age string, status int, targeted bool) {
		h := headerOf("Cache-Control", control, "CDN-Cache-Control", cdn, "Expires", expires, "Date", date, "Last-Modified", modified, "Age", age)
		got := upstreamSays(&Service{Targeted: targeted}, status, h)
		for name, d := range map[string]time.Duration{"lifetime": got.Lifetime, "while": got.WhileRevalidate, "error": got.IfError} {
			if d < 0 || d > maxDelta {
				t.Errorf("%s = %v", name, d)
			}
		}
		if got.Revalidate && got.AllowStale || !got.AllowStale && got.WhileRevalidate+got.IfError > 0 {
			t.Errorf("%+v contradicts itself", got)
		}
	})
}
