package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/breaker"
	"iqgateway/limiter"
)

// someBreakers are one of each kind, as quotaNow sees them.
func someBreakers() []breaker.Status {
	now := quotaNow()
	key := func(service, bucket string) breaker.Key {
		return breaker.Key{Environment: "production", Service: service, Bucket: bucket}
	}
	return []breaker.Status{
		{Key: key("catalogs", ""), State: breaker.Closed, Successes: 97, Failures: 3},
		{
			Key: key("crm", ""), State: breaker.Open, Reason: breaker.ReasonFailures, By: "q7x", Since: now.Add(-2 * time.Second),
			OpenFor: 8 * time.Second, OpenUntil: now.Add(8 * time.Second), NextPing: now.Add(time.Second),
			Last: []breaker.LastFailure{{At: now.Add(-3 * time.Second), Cause: "timeout"}, {At: now.Add(-4 * time.Second), Cause: "5xx"}},
		},
		{Key: key("crm", "authenticated"), State: breaker.Open, Reason: breaker.ReasonThrottled, Last: []breaker.LastFailure{{At: now, Cause: "429"}}},
		{Key: key("order", ""), State: breaker.HalfOpen, Reason: breaker.ReasonTime, By: "q7x", Probes: 1, Last: []breaker.LastFailure{{At: now, Cause: "connect"}}},
		{
			Key: key("pricing", ""), State: breaker.Open, Reason: breaker.ReasonForced, By: operator, OpenFor: 10 * time.Minute, OpenUntil: now.Add(10 * time.Minute),
			Forced: &breaker.ForcedStatus{State: breaker.Open, By: operator, Why: "maintenance\x1b[2J", Since: now, Until: now.Add(10 * time.Minute)},
		},
		{Key: key("taxes", ""), State: breaker.Closed, Successes: 5},
		{Key: key("users", ""), State: breaker.Closed},
		{Key: key("webhooks", ""), State: breaker.Closed},
	}
}

// spentQuotas are a bucket that is spent, one that an operator has blocked, and
// two that stop nobody.
func spentQuotas() []limiter.Status {
	spent, held, open, shadow := crmStatus(), crmStatus(), crmStatus(), crmStatus()
	spent.Snapshot.Available = 0
	open.Name.Service = "catalogs"
	shadow.Name.Service, shadow.Snapshot.Available, shadow.Settings.Enforce = "order", 0, false
	held.Name.Service, held.Snapshot.Blocked, held.Snapshot.Held = "taxes", storeNow+600_000, "INC-1"
	return []limiter.Status{spent, held, open, shadow}
}

func breakerDocuments() []breakerDocument {
	gates := quotaGates(spentQuotas(), quotaNow())
	var documents []breakerDocument
	for _, s := range someBreakers() {
		documents = append(documents, describeBreaker(s, gates, quotaNow()))
	}
	return documents
}

func TestBreakerTable(t *testing.T) {
	tests := map[string]struct {
		breakers []breakerDocument
		all      bool
		want     string
	}{
		"what has something to tell": {breakerDocuments(), false, `BREAKER                                 STATE       REASON      FAILED   NEXT       NOTE
production/catalogs                     closed      -           3/100    -          -
production/crm                          open        failures    -        in 8s      last failure: timeout; quota production/crm/authenticated: open (429) until 2026-01-05T13:00:00Z (in 23s)
production/crm/throttle/authenticated   open        throttled   -        now        last failure: 429
production/order                        half-open   time        -        probing    last failure: connect
production/pricing                      open        forced      -        in 10m0s   forced open until 2026-01-05T13:09:37Z (in 10m0s): maintenance�[2J
production/taxes                        closed      -           0/5      -          quota production/taxes/authenticated: open (429) until 2026-01-05T13:09:37Z (in 10m0s), by an operator: INC-1
2 more closed, with nothing counted (--all shows them)
`},
		"all": {breakerDocuments()[6:], true, `BREAKER               STATE    REASON   FAILED   NEXT   NOTE
production/users      closed   -        -        -      -
production/webhooks   closed   -        -        -      -
`},
		"nothing to tell": {breakerDocuments()[6:], false, "all 2 breakers are closed, with nothing counted (--all shows them)\n"},
		"none":            {nil, false, "no service is proxied\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if err := writeBreakers(&out, tt.breakers, tt.all, quotaNow()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Programs get instants in UTC, and nothing that is not known.
func TestBreakerDocument(t *testing.T) {
	got, err := json.Marshal(breakerDocuments()[1])
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"breaker":"production/crm","environment":"production","service":"crm","state":"open","reason":"failures","by":"q7x",` +
		`"since":"2026-01-05T12:59:35Z","next_probe":"2026-01-05T12:59:45Z","next_ping":"2026-01-05T12:59:38Z","probes":0,"successes":0,"failures":0,` +
		`"last_failures":[{"at":"2026-01-05T12:59:34Z","cause":"timeout"},{"at":"2026-01-05T12:59:33Z","cause":"5xx"}],` +
		`"quota":[{"bucket":"production/crm/authenticated","until":"2026-01-05T13:00:00Z"}]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if d := breakerDocuments()[2]; d.Quota != nil { // the gate stands beside the upstream's breaker alone
		t.Errorf("%+v", d.Quota)
	}
}
