package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/limiter"
)

// quotaNow is when the tables below are looked at; the store's clock is an hour
// behind.
func quotaNow() time.Time { return time.Date(2026, 1, 5, 12, 59, 37, 0, time.UTC) }

const storeNow = int64(1_767_614_377_000)

// crmStatus is a busy bucket as the limiter shows it.
func crmStatus() limiter.Status {
	return limiter.Status{
		Name: limiter.Name{Environment: "production", Service: "crm", Policy: "authenticated"},
		Settings: limiter.Settings{Enforce: true, Shares: []limiter.Share{
			{Caller: "export", Cap: limiter.Amount{Tokens: 300}, Weight: 2},
			{Caller: "storefront", Guarantee: limiter.Amount{Percent: 20}, Weight: 1},
			{Caller: "tiny", Guarantee: limiter.Amount{Percent: 0.01}, Weight: 1},
		}},
		Snapshot: limiter.Snapshot{
			Answer: limiter.Answer{
				Now: storeNow, Epoch: 7, Mode: limiter.ModeKnown, Name: 1, Lo: storeNow + 22_000, Hi: storeNow + 23_000, Limit: 1000, Span: 60_000,
				Available: 92, Own: 800, External: 100, Margin: 8, Used: 850, Replicas: 3, Waiting: 4,
			},
			Callers: []limiter.CallerState{
				{Caller: "storefront", Spent: 410, Rate: [3]int64{500, 0, 3}},
				{Caller: "export", Spent: 300, Waiting: 4, Rate: [3]int64{0, 900, 0}},
				{Caller: "", Rate: [3]int64{1, 0, 0}},
			},
			History: []limiter.Closed{
				{Ended: storeNow - 37_000, Limit: 1000, Own: 900, External: 100, Used: 1000, Wasted: 2, Proof: true, By: []limiter.Usage{{Caller: "storefront", Spent: 600}, {Caller: "export", Spent: 300}}},
				{Ended: storeNow - 97_000, Limit: 1000, Own: 500, Used: 500, Refused: 1},
				{Ended: storeNow - 157_000, Limit: 1000, Own: 20},
			},
		},
		Evidence: []limiter.Evidence{
			{Ended: time.UnixMilli(storeNow - 37_000), Own: 900, Used: 1000, Outside: 100},
			{Ended: time.UnixMilli(storeNow - 97_000), Own: 500, Used: 500},
		},
	}
}

func TestQuotaList(t *testing.T) {
	spent, held, away, shadow, unused, cold, slots := crmStatus(), crmStatus(), crmStatus(), crmStatus(), crmStatus(), crmStatus(), crmStatus()
	spent.Name.Of, spent.Snapshot.Available, spent.Snapshot.Blocked = "retail", 0, storeNow+23_005
	held.Name.Of, held.Snapshot.Blocked, held.Snapshot.Held = "wholesale", storeNow+600_000, "INC-1\x1b[2J"
	away.Name.Service, away.Away, away.Used, away.Err, away.Snapshot = "pricing", true, true, storeError("redis is away"), limiter.Snapshot{}
	away.Here = limiter.View{Known: true, Mode: limiter.ModeKnown, Limit: 500, Remaining: 3, Opens: 10 * time.Second, Window: time.Minute}
	shadow.Name.Service, shadow.Settings.Enforce = "taxes", false
	unused.Name.Service, unused.Snapshot = "users", limiter.Snapshot{Answer: limiter.Answer{Now: storeNow}}
	cold.Name.Service, cold.Snapshot.Answer = "order", limiter.Answer{Now: storeNow, Epoch: 3, Mode: limiter.ModeCold, Replicas: 1}
	slots.Name.Service, slots.Settings.Kind = "dataconnect", limiter.Concurrency
	slots.Snapshot.Answer = limiter.Answer{Now: storeNow, Epoch: 1, Mode: limiter.ModeSlots, Limit: 8, Own: 5, Available: 3, Replicas: 2}

	var documents []quotaDocument
	for _, s := range []limiter.Status{crmStatus(), spent, held, away, shadow, unused, cold, slots} {
		documents = append(documents, describeQuota(s, quotaNow(), false))
	}
	var out strings.Builder
	if err := writeQuotas(&out, documents, false, quotaNow()); err != nil {
		t.Fatal(err)
	}
	want := `BUCKET                                   MODE    LIMIT       OURS   OTHERS   LEFT   OPENS    WAITING   REPLICAS   NOTE
production/crm/authenticated             known   1000/60s    800    100      92     in 23s   4         3          -
production/crm/authenticated/retail      known   1000/60s    800    100      0      in 23s   4         3          nothing more until 2026-01-05T13:00:00Z (in 23s)
production/crm/authenticated/wholesale   known   1000/60s    800    100      92     in 23s   4         3          blocked by an operator until 2026-01-05T13:09:37Z (in 10m0s): INC-1�[2J
production/pricing/authenticated         known   500/60s     0      0        3      in 10s   0         0          the replica that answers spends its local share: Redis is away; this replica's own view only: redis is away
production/taxes/authenticated           known   1000/60s    800    100      92     in 23s   4         3          not enforced
production/order/authenticated           cold    ?           0      0        ?      -        0         1          -
production/dataconnect/authenticated     slots   8 at once   5      0        3      -        0         2          -
1 more not used yet (--all shows them)
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	out.Reset()
	if err := writeQuotas(&out, documents, true, quotaNow()); err != nil || !strings.Contains(out.String(), "production/users/authenticated") {
		t.Errorf("--all leaves some out (%v):\n%s", err, out.String())
	}
	out.Reset()
	if err := writeQuotas(&out, nil, true, quotaNow()); err != nil || out.String() != "no caller may use a service that has a quota\n" {
		t.Errorf("%v: %s", err, out.String())
	}
}

type storeError string

func (e storeError) Error() string { return string(e) }

func TestQuotaShow(t *testing.T) {
	var out strings.Builder
	if err := writeQuota(&out, describeQuota(crmStatus(), quotaNow(), true), quotaNow()); err != nil {
		t.Fatal(err)
	}
	want := `bucket            production/crm/authenticated
counted as        window, mode known
limit             1000/60s
ours              800 (replicas that use it: 3)
others            100 at least, 8 kept back for them
left              92
upstream's count  850 as last seen
opens             in 23s
waiting           4
note              -

CALLER       USED   WAITING   GUARANTEE   CAP   WEIGHT   EXPECTED
storefront   410    0         200         -     1        interactive 500, background 3
export       300    4         -           300   2        batch 900
tiny         0      0         1           -     1        -

WINDOW ENDED                       LIMIT   OURS   UPSTREAM   OTHERS   MISSING   UNSPENT   429   BY
2026-01-05T12:59:00Z (37s ago)     1000    900    1000       100      0         2         0     storefront 600, export 300
2026-01-05T12:58:00Z (1m37s ago)   1000    500    500        0        0         0         1     -
2026-01-05T12:57:00Z (2m37s ago)   1000    20     -          0        0         0         0     -

Scope: in 1 of 2 windows others used the same quota, 100 tokens in all. If that is no other program, a wider scope (or quota_group) would count it here.
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What the windows say about what the upstream counts by.
func TestScopeEvidence(t *testing.T) {
	for want, windows := range map[string][]quotaWindow{
		"no evidence yet":          {{Own: 5}},
		"it fits. In all of 2":     {{Own: 5, UpstreamUsed: 5}, {Own: 7, UpstreamUsed: 7}, {Own: 1}},
		"in 1 of 2 windows others": {{Own: 5, UpstreamUsed: 9, External: 4}, {Own: 7, UpstreamUsed: 7}},
		"counted less than we":     {{Own: 5, UpstreamUsed: 2, Missing: 3}},
		"something else than":      {{Own: 5, UpstreamUsed: 2, Missing: 3}, {Own: 1, UpstreamUsed: 9, External: 8}},
	} {
		if got := scopeEvidence(quotaDocument{Kind: "window", Windows: windows}); !strings.Contains(got, want) {
			t.Errorf("want %q in: %s", want, got)
		}
	}
	if got := scopeEvidence(quotaDocument{Kind: "concurrency", Windows: []quotaWindow{{UpstreamUsed: 1}}}); !strings.Contains(got, "no count to compare") {
		t.Error(got)
	}
}

func TestQuotaTop(t *testing.T) {
	idle, cold, over := crmStatus(), crmStatus(), crmStatus()
	idle.Name.Service, idle.Snapshot = "users", limiter.Snapshot{Answer: limiter.Answer{Now: storeNow}}
	cold.Name.Service, cold.Snapshot = "order", limiter.Snapshot{Answer: limiter.Answer{Now: storeNow, Epoch: 3, Mode: limiter.ModeCold}}
	over.Name.Service, over.Snapshot.Own, over.Snapshot.External = "taxes", 900, 300
	var list quotaList
	list.Replica = "q7x"
	for _, s := range []limiter.Status{idle, cold, crmStatus(), over} {
		list.Quotas = append(list.Quotas, describeQuota(s, quotaNow(), false))
	}
	var out strings.Builder
	list.Quotas = topQuotas(list.Quotas)
	writeTop(&out, list, quotaNow())
	want := `2026-01-05T12:59:37Z, replica q7x, 3 buckets in use

production/taxes/authenticated  [###########################xxx]  1200 (120 %) used of 1000/60s, opens in 23s, 4 waiting
  storefront 410 (41 %)   export 300 (30 %), 4 waiting

production/crm/authenticated  [########################xxx...]  900 (90 %) used of 1000/60s, opens in 23s, 4 waiting
  storefront 410 (41 %)   export 300 (30 %), 4 waiting

production/order/authenticated  [??????????????????????????????]  0 used of ?, 0 waiting
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// While the store is away a block that the replica has heard of is still shown.
func TestQuotaBlockedWithoutTheStore(t *testing.T) {
	away := crmStatus()
	away.Away, away.Err, away.Snapshot = true, storeError("redis is away"), limiter.Snapshot{}
	away.Here = limiter.View{Known: true, Mode: limiter.ModeKnown, Limit: 500, Blocked: true, Opens: 10 * time.Minute}
	if note := quotaNote(describeQuota(away, quotaNow(), true), quotaNow()); !strings.Contains(note, "nothing more until 2026-01-05T13:09:37Z") {
		t.Error(note)
	}
}
