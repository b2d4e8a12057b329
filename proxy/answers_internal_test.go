package proxy

import (
	"crypto/tls"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/internal/exchange"
)

// hit is an exchange that a stored answer ends.
func hit(change func(*exchange.Exchange)) *exchange.Exchange {
	ex := &exchange.Exchange{
		ID: "r1-7", Target: target("production", "crm", "https://crm.iqmetrix.net", "/crm"),
		Cache: exchange.CacheView{Result: exchange.CacheHit, Status: "hit; ttl=28", Time: 300 * time.Microsecond},
	}
	ex.Target.Policy = "authenticated"
	if change != nil {
		change(ex)
	}
	return ex
}

func TestStoredAnswerBecomesTheGateways(t *testing.T) {
	stored := http.Header{
		"Content-Type": {"application/json"}, "Etag": {`"5"`},
		"Location": {"https://crm.iqmetrix.net/v1/Companies(1)"}, "X-Request-Id": {"theirs"},
		"X-Ratelimit-Remaining": {"3"}, "Via": {"1.1 arr"}, "Cache-Status": {"cdn; hit"},
	}
	base := http.Header{
		"Content-Type": {"application/json"}, "Etag": {`"5"`}, "Location": {"/crm/v1/Companies(1)"}, "X-Request-Id": {"r1-7"},
		"Cache-Status": {"cdn; hit", "iqgateway; hit; ttl=28"},
	}
	with := func(more http.Header) http.Header {
		h := base.Clone()
		maps.Copy(h, more)
		return h
	}
	live := func(ex *exchange.Exchange) { ex.QuotaView = func() exchange.QuotaView { return aView() } }
	tests := map[string]struct {
		mode HeaderMode
		ex   *exchange.Exchange
		want http.Header
	}{
		"a service that nobody counts": {HeadersStandard, hit(nil), with(http.Header{
			"X-Ratelimit-Remaining": {"3"}, "Via": {"1.1 arr", "1.1 iqgateway"},
			"Server-Timing": {"cache;dur=0.3, token;dur=0.0, upstream;dur=0.0"},
		})},
		"the bucket as it is now": {HeadersStandard, hit(live), with(http.Header{
			"X-Ratelimit-Limit": {"1000"}, "X-Ratelimit-Remaining": {"3"}, // never more than the answer itself says
			"X-Ratelimit-Reset": {"01/05/2026 13:00:00"}, "X-Ratelimit-Resetseconds": {"23"},
			"Ratelimit-Policy": {`"crm-authenticated";q=1000;w=60, "share";q=250;w=60`},
			"Ratelimit":        {`"crm-authenticated";r=3;t=23, "share";r=3;t=23`},
			"X-Quota-Wait-Ms":  {"0"}, "Via": {"1.1 arr", "1.1 iqgateway"},
			"Server-Timing": {"cache;dur=0.3, quota;dur=0.0, token;dur=0.0, upstream;dur=0.0"},
		})},
		"minimal": {HeadersMinimal, hit(live), with(http.Header{"Via": {"1.1 arr"}})},
		"debug": {HeadersDebug, hit(nil), with(http.Header{
			"X-Ratelimit-Remaining": {"3"}, "Via": {"1.1 arr", "1.1 iqgateway"},
			"Server-Timing": {`cache;dur=0.3, token;dur=0.0, upstream;dur=0.0, attempts;desc="0"`},
		})},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.ex.QuotaView != nil { // as if the stored fields were of the same window
				stored["X-Ratelimit-Reset"] = []string{"01/05/2026 13:00:00"}
				defer delete(stored, "X-Ratelimit-Reset")
			}
			h := http.Header{}
			maps.Copy(h, stored) // the values are shared, as the store hands them out
			before := stored.Clone()
			r := httptest.NewRequest(http.MethodGet, "/crm/v1/x", nil)
			NewAnswers(testLocations(), tt.mode).Decorate(h, r.WithContext(exchange.With(r.Context(), tt.ex)), http.StatusOK)
			if diff := cmp.Diff(tt.want, h); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, stored); diff != "" {
				t.Errorf("what is stored has changed (-was +is):\n%s", diff)
			}
		})
	}
}

// A slice of the store may have room behind its end: nothing is written there.
func TestStoredSlicesAreNotAppendedTo(t *testing.T) {
	shared := make([]string, 1, 4)
	shared[0] = "1.1 arr"
	r := httptest.NewRequest(http.MethodGet, "/crm/v1/x", nil)
	r = r.WithContext(exchange.With(r.Context(), hit(nil)))
	NewAnswers(nil, HeadersStandard).Decorate(http.Header{"Via": shared}, r, http.StatusOK)
	if got := shared[:2]; got[1] != "" {
		t.Errorf("behind the end stands %q", got)
	}
}

// Where a caller is told to go, it comes back to the gateway by the scheme and
// host that it used.
func TestStoredLocationInNativeForm(t *testing.T) {
	ex := hit(func(ex *exchange.Exchange) { ex.Form, ex.Target.Prefix = exchange.FormNative, "" })
	r := httptest.NewRequest(http.MethodGet, "/v1/x", nil)
	r.Host, r.TLS = "crm.iqmetrix.net:8443", &tls.ConnectionState{}
	h := http.Header{"Location": {"https://crm.iqmetrix.net/v1/y"}}
	NewAnswers(testLocations(), HeadersMinimal).Decorate(h, r.WithContext(exchange.With(r.Context(), ex)), http.StatusSeeOther)
	if got, want := h.Get("Location"), "https://crm.iqmetrix.net:8443/v1/y"; got != want {
		t.Errorf("Location %q, want %q", got, want)
	}
}

func TestProblemsSayWhatTheCacheDid(t *testing.T) {
	tests := map[string]struct {
		cache  exchange.CacheView
		mode   HeaderMode
		want   []string
		timing string
	}{
		"never asked": {},
		"only-if-cached": {
			cache: exchange.CacheView{Result: exchange.CacheMiss, Status: "detail=only-if-cached", Time: 300 * time.Microsecond},
			want:  []string{"iqgateway; detail=only-if-cached"}, timing: "cache;dur=0.3, token;dur=0.0, upstream;dur=0.0",
		},
		"nothing may be stored": {
			cache: exchange.CacheView{Result: exchange.CacheBypass},
			want:  []string{"iqgateway; fwd=bypass"}, timing: "cache;dur=0.0, token;dur=0.0, upstream;dur=0.0",
		},
		"no more than need be": {
			cache: exchange.CacheView{Result: exchange.CacheBypass}, mode: HeadersMinimal,
			want: []string{"iqgateway; fwd=bypass"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ex := hit(func(ex *exchange.Exchange) { ex.Cache = tt.cache })
			r := httptest.NewRequest(http.MethodGet, "/crm/v1/x", nil)
			w := httptest.NewRecorder()
			w.Header()["Cache-Status"] = []string{"of an answer that was given up"}
			if tt.want == nil {
				w.Header().Del("Cache-Status")
			}
			NewErrors(ErrorsOptions{Headers: tt.mode}).Refuse(w, r.WithContext(exchange.With(r.Context(), ex)), exchange.Refuse(exchange.NotCached, "x"))
			if got := w.Result().Header.Get("Server-Timing"); got != tt.timing {
				t.Errorf("Server-Timing %q, want %q", got, tt.timing)
			}
			if diff := cmp.Diff(tt.want, w.Result().Header["Cache-Status"]); diff != "" || w.Code != http.StatusGatewayTimeout {
				t.Errorf("%d (-want +got):\n%s", w.Code, diff)
			}
		})
	}
}

func BenchmarkDecorate(b *testing.B) {
	view := aView()
	ex := hit(func(ex *exchange.Exchange) { ex.QuotaView = func() exchange.QuotaView { return view } })
	r := httptest.NewRequest(http.MethodGet, "/crm/v1/x", nil)
	r = r.WithContext(exchange.With(r.Context(), ex))
	a := NewAnswers(testLocations(), HeadersStandard)
	h := http.Header{}
	b.ReportAllocs()
	for b.Loop() {
		clear(h)
		h["Content-Type"] = nil
		a.Decorate(h, r, http.StatusOK)
	}
}
