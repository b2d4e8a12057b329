package proxy

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/internal/exchange"
)

// aView is a bucket with something left, 22.4 s before it opens.
func aView() exchange.QuotaView {
	return exchange.QuotaView{
		Known: true, Limit: 1000, Remaining: 412, Reset: "01/05/2026 13:00:00",
		Opens: 22400 * time.Millisecond, Window: time.Minute, Share: 250, ShareRemaining: 120,
	}
}

func counted(view exchange.QuotaView, change func(*exchange.Exchange)) *exchange.Exchange {
	ex := &exchange.Exchange{
		ID: "r1-7", Target: &exchange.Target{Service: "crm", Policy: "authenticated"},
		QuotaWait: 37 * time.Millisecond, QuotaView: func() exchange.QuotaView { return view },
	}
	if change != nil {
		change(ex)
	}
	return ex
}

// upstreamFields are what an upstream says at the same time, or another.
func upstreamFields(remaining, reset string) http.Header {
	return http.Header{
		"X-Ratelimit-Limit": {"1000"}, "X-Ratelimit-Remaining": {remaining}, "X-Ratelimit-Reset": {reset},
		"X-Ratelimit-Resetseconds": {"22"}, "Ratelimit": {`"theirs";r=5`}, "Ratelimit-Policy": {`"theirs";q=9`},
	}
}

func TestQuotaFields(t *testing.T) {
	full := http.Header{
		"X-Ratelimit-Limit": {"1000"}, "X-Ratelimit-Remaining": {"412"},
		"X-Ratelimit-Reset": {"01/05/2026 13:00:00"}, "X-Ratelimit-Resetseconds": {"23"},
		"Ratelimit-Policy": {`"crm-authenticated";q=1000;w=60, "share";q=250;w=60`},
		"Ratelimit":        {`"crm-authenticated";r=412;t=23, "share";r=120;t=23`},
		"X-Quota-Wait-Ms":  {"37"},
	}
	with := func(changed http.Header) http.Header {
		h := full.Clone()
		for name, values := range changed {
			if h[name] = values; values == nil {
				delete(h, name)
			}
		}
		return h
	}
	view := func(change func(*exchange.QuotaView)) *exchange.Exchange {
		v := aView()
		change(&v)
		return counted(v, nil)
	}
	tests := map[string]struct {
		mode   HeaderMode
		ex     *exchange.Exchange
		status int
		from   http.Header
		want   http.Header
	}{
		"in place of the upstream's": {HeadersStandard, counted(aView(), nil), 200, upstreamFields("990", "12/31/2025 00:00:00"), full},
		"debug":                      {HeadersDebug, counted(aView(), nil), 200, nil, full},
		"minimal":                    {HeadersMinimal, counted(aView(), nil), 200, upstreamFields("5", "x"), http.Header{}},
		"never more than the upstream says of this window": {
			HeadersStandard, counted(aView(), nil), 200, upstreamFields("100", "01/05/2026 13:00:00"),
			with(http.Header{
				"X-Ratelimit-Remaining": {"100"},
				"Ratelimit":             {`"crm-authenticated";r=100;t=23, "share";r=100;t=23`},
			}),
		},
		"another window says nothing of this one": {HeadersStandard, counted(aView(), nil), 200, upstreamFields("3", "01/05/2026 12:59:00"), full},
		"an unreadable count lowers nothing":      {HeadersStandard, counted(aView(), nil), 200, upstreamFields("-3", "01/05/2026 13:00:00"), full},
		"a window without a name is tightened by any": {
			HeadersStandard, view(func(v *exchange.QuotaView) { v.Reset, v.Opens, v.Share = "", 0, 0 }), 200, upstreamFields("3", "01/05/2026 12:59:00"),
			http.Header{"X-Ratelimit-Limit": {"1000"}, "X-Ratelimit-Remaining": {"3"}, "Ratelimit-Policy": {`"crm-authenticated";q=1000;w=60`}, "Ratelimit": {`"crm-authenticated";r=3`}, "X-Quota-Wait-Ms": {"37"}},
		},
		"nobody counts: they pass as they are":    {HeadersStandard, &exchange.Exchange{Target: &exchange.Target{}}, 200, upstreamFields("9", "x"), upstreamFields("9", "x")},
		"nothing is known: none, and none of old": {HeadersStandard, view(func(v *exchange.QuotaView) { *v = exchange.QuotaView{} }), 200, upstreamFields("9", "x"), http.Header{"X-Quota-Wait-Ms": {"37"}}},
		"a window that nobody has named or timed": {HeadersStandard, view(func(v *exchange.QuotaView) { v.Reset, v.Opens, v.Window, v.Share = "", 0, 0, 0 }), 200, nil, http.Header{"X-Ratelimit-Limit": {"1000"}, "X-Ratelimit-Remaining": {"412"}, "Ratelimit-Policy": {`"crm-authenticated";q=1000`}, "Ratelimit": {`"crm-authenticated";r=412`}, "X-Quota-Wait-Ms": {"37"}}},
		"slots have no window": {HeadersStandard, view(func(v *exchange.QuotaView) {
			*v = exchange.QuotaView{Known: true, Concurrency: true, Limit: 8, Remaining: 5, Share: 2, ShareRemaining: 1}
		}), 200, nil, http.Header{"Ratelimit-Policy": {`"crm-authenticated";q=8;qu="concurrent-requests", "share";q=2;qu="concurrent-requests"`}, "Ratelimit": {`"crm-authenticated";r=5, "share";r=1`}, "X-Quota-Wait-Ms": {"37"}}},
		"a share that is the whole":                {HeadersStandard, view(func(v *exchange.QuotaView) { v.Share, v.ShareRemaining = 1000, 412 }), 200, nil, with(http.Header{"Ratelimit-Policy": {`"crm-authenticated";q=1000;w=60`}, "Ratelimit": {`"crm-authenticated";r=412;t=23`}})},
		"what is below nothing is nothing":         {HeadersStandard, view(func(v *exchange.QuotaView) { v.Remaining, v.ShareRemaining = -4, -9 }), 200, nil, with(http.Header{"X-Ratelimit-Remaining": {"0"}, "Ratelimit": {`"crm-authenticated";r=0;t=23, "share";r=0;t=23`}})},
		"numbers that a structured field can hold": {HeadersStandard, view(func(v *exchange.QuotaView) { v.Limit, v.Share = 1<<53, 0 }), 200, nil, with(http.Header{"X-Ratelimit-Limit": {"9007199254740992"}, "Ratelimit-Policy": {`"crm-authenticated";q=999999999999999;w=60`}, "Ratelimit": {`"crm-authenticated";r=412;t=23`}})},
		"a refusal of ours": {
			HeadersStandard, counted(aView(), func(ex *exchange.Exchange) { ex.Problem = exchange.Refuse(exchange.QuotaExceeded, "") }),
			429, nil, with(http.Header{"X-Quota-Source": {"gateway"}}),
		},
		"a failure that is none of the quota": {
			HeadersStandard, counted(aView(), func(ex *exchange.Exchange) { ex.Problem = exchange.Refuse(exchange.UpstreamTimeout, "") }),
			504, nil, full,
		},
		"a refusal of ours, told briefly": {
			HeadersMinimal, counted(aView(), func(ex *exchange.Exchange) { ex.Problem = exchange.Refuse(exchange.QuotaUnavailable, "") }),
			503, nil,
			http.Header{"X-Quota-Source": {"gateway"}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := tt.from.Clone()
			if h == nil {
				h = http.Header{}
			}
			tt.mode.setQuota(h, tt.ex, tt.status)
			if diff := cmp.Diff(tt.want, h); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// An upstream's 429 comes without Retry-After; a caller needs one that is true.
func TestRetryAfterOfAnUpstreamsRefusal(t *testing.T) {
	spent := aView()
	spent.Remaining = 0
	// What the upstream itself says, where it says it.
	spentFor := func(seconds string) http.Header {
		return http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Resetseconds": {seconds}}
	}
	tests := map[string]struct {
		view     exchange.QuotaView
		given    string
		min, max int64
		from     http.Header
	}{
		"the window is spent":             {spent, "", 23, 25, nil},
		"too early":                       {spent, "5", 23, 25, nil},
		"later than we know":              {spent, "90", 90, 90, nil},
		"a limit that nobody advertises":  {aView(), "", 1, 2, nil},
		"what it asks for stands":         {aView(), "7", 7, 7, nil},
		"nothing is known of the quota":   {exchange.QuotaView{}, "", 1, 2, nil},
		"slots are free within no window": {exchange.QuotaView{Known: true, Concurrency: true, Opens: time.Hour}, "", 1, 2, nil},
		"only the upstream knows":         {exchange.QuotaView{}, "", 575, 577, spentFor("575")},
		"the later of the two":            {spent, "", 40, 42, spentFor("40")},
		"a stray number":                  {exchange.QuotaView{}, "", 3600, 3602, spentFor("99999999")},
		"an unreadable number":            {exchange.QuotaView{}, "", 1, 2, spentFor("soon")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			seen := map[int64]bool{}
			for _, id := range []string{"a-1", "b-2", "c-3", "d-4", "e-5", "f-6", "g-7", "h-8"} {
				h := tt.from.Clone()
				if h == nil {
					h = http.Header{}
				}
				if tt.given != "" {
					h.Set("Retry-After", tt.given)
				}
				HeadersMinimal.setQuota(h, counted(tt.view, func(ex *exchange.Exchange) { ex.ID = id }), http.StatusTooManyRequests)
				got := atoi(t, h.Get("Retry-After"))
				if got < tt.min || got > tt.max || h.Get("X-Quota-Source") != "upstream" {
					t.Errorf("Retry-After %d of %q, want %d to %d", got, h.Get("X-Quota-Source"), tt.min, tt.max)
				}
				seen[got] = true
			}
			if tt.max-tt.min > 1 && len(seen) == 1 {
				t.Errorf("all come back at once: %v", seen)
			}
		})
	}
}

// A date is held to the same: one that stands before the window opens would
// send the caller into the next 429.
func TestRetryAfterAsADate(t *testing.T) {
	spent := aView()
	spent.Remaining = 0
	now := time.Now()
	for name, tt := range map[string]struct {
		given string
		want  string // "" = at least as late as the window's end
	}{
		"late enough": {now.Add(time.Hour).UTC().Format(http.TimeFormat), now.Add(time.Hour).UTC().Format(http.TimeFormat)},
		"too early":   {now.Add(5 * time.Second).UTC().Format(http.TimeFormat), ""},
		"long ago":    {"Mon, 05 Jan 1998 13:00:00 GMT", ""},
		"no date":     {"tomorrow", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{"Retry-After": {tt.given}}
			HeadersStandard.setQuota(h, counted(spent, nil), http.StatusTooManyRequests)
			got := h.Get("Retry-After")
			if tt.want != "" && got != tt.want || tt.want == "" && atoi(t, got) < wholeSeconds(spent.Opens) {
				t.Errorf("Retry-After became %q", got)
			}
		})
	}
}

// FuzzStructuredField: whatever a policy is called and counts, the fields are
// lists that a strict reader takes (RFC 9651).
func FuzzStructuredField(f *testing.F) {
	f.Add("crm-authenticated", int64(1000), int64(412), int64(23), false)
	f.Add(`a"b\c`, int64(-1), int64(1<<62), int64(-5), true)
	f.Add("é\x00\x7f, x;q=1", int64(0), int64(0), int64(0), false)
	f.Fuzz(func(t *testing.T, name string, limit, remaining, seconds int64, slots bool) {
		v := exchange.QuotaView{
			Known: true, Concurrency: slots, Limit: limit, Remaining: remaining, Share: remaining, ShareRemaining: limit,
			Opens: time.Duration(seconds), Window: time.Duration(seconds),
		}
		for _, field := range [][]byte{appendPolicies(nil, name, v), appendRemaining(nil, name, v)} {
			members, ok := readList(string(field))
			if !ok || members != 1 && members != 2 || members == 2 != (v.Share > 0 && v.Share < v.Limit) {
				t.Errorf("%q is no list of the right length (%d members)", field, members)
			}
		}
	})
}

func BenchmarkQuotaFields(b *testing.B) {
	ex := counted(aView(), nil)
	from := upstreamFields("990", "01/05/2026 13:00:00")
	b.ReportAllocs()
	for b.Loop() {
		HeadersStandard.setQuota(from.Clone(), ex, http.StatusOK)
	}
}

// BenchmarkQuotaFieldsBaseline is the cost of the copy alone.
func BenchmarkQuotaFieldsBaseline(b *testing.B) {
	from := upstreamFields("990", "01/05/2026 13:00:00")
	b.ReportAllocs()
	for b.Loop() {
		_ = from.Clone()
	}
}
