package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/limiter"
	"iqgateway/observability"
)

func TestQuotaGaugesShowWhatIsCurrent(t *testing.T) {
	var seen quotaSeen
	name := crmStatus().Name
	shares := map[limiter.Name][]limiter.Share{name: crmStatus().Settings.Shares}
	answer := crmStatus().Snapshot.Answer
	if got := seen.states(quotaNow(), shares); len(got) != 0 {
		t.Errorf("gauges of what nobody has asked for: %+v", got)
	}
	seen.answered(name, answer, quotaNow())
	want := observability.QuotaState{
		Bucket: quotaBucket(name), Mode: "known", Limit: 1000, Remaining: 92, Upstream: 150, Granted: 800, External: 100, Margin: 8,
		Waiting: 4, Replicas: 3, Uncertainty: time.Second, Ends: time.UnixMilli(answer.Hi), Guarantees: map[string]int64{"storefront": 200, "tiny": 1},
	}
	if diff := cmp.Diff([]observability.QuotaState{want}, seen.states(quotaNow(), shares)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	later := quotaNow().Add(71 * time.Second) // a window of 60 s and 10 s
	if got := seen.states(later, shares); len(got) != 0 {
		t.Errorf("an idle bucket is shown as it was: %+v", got)
	}
	seen.turned(name, true)
	if got := seen.states(later, shares); len(got) != 1 || got[0].Mode != "local_share" {
		t.Errorf("while the store is away: %+v", got)
	}
	seen.turned(name, false)
	answer.Lo, answer.Hi, answer.Blocked, answer.Used = 0, 0, answer.Now+1, 0
	seen.answered(name, answer, later)
	if got := seen.states(later, shares); len(got) != 1 || got[0].Uncertainty >= 0 || got[0].Upstream >= 0 || !got[0].Blocked {
		t.Errorf("blocked, at an unknown end: %+v", got)
	}
	if got := seen.states(later, nil); len(got) != 0 {
		t.Errorf("a bucket that is configured no more: %+v", got)
	}
}
