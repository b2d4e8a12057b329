package observability_test

import (
	"net/http"
	"slices"
	"testing"

	"iqgateway/internal/exchange"
)

// The newest refusals are told, those of strangers too, and nothing else is.
func TestRefusedAreTheNewestRefusals(t *testing.T) {
	refuse := true
	recent, h := remembered(func(w http.ResponseWriter, r *http.Request) {
		ex := exchange.From(r.Context())
		if len(r.URL.RawQuery)%2 == 0 {
			ex.Caller = &exchange.Caller{Name: "pos"}
		}
		if refuse {
			ex.Problem = &exchange.Problem{Type: exchange.QuotaExceeded, Detail: "spent"}
		}
		w.WriteHeader(http.StatusTooManyRequests)
	})
	var want []string
	for range 30 {
		want = append(want, sent(h, plainGet()))
	}
	refuse = false
	for range 30 {
		sent(h, plainGet())
	}
	slices.Reverse(want)
	var got []string
	for _, r := range recent.Refused(10) {
		got = append(got, r.ID)
		if r.Problem != exchange.QuotaExceeded || r.Detail != "spent" || r.Status != http.StatusTooManyRequests {
			t.Errorf("%+v", r)
		}
	}
	if !slices.Equal(got, want[:10]) {
		t.Errorf("%v, want %v", got, want[:10])
	}
	if all := recent.Refused(1000); len(all) != 30 {
		t.Errorf("%d refusals, want 30", len(all))
	}
}
