package main

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"iqgateway/internal/redistest"
)

// A program outside the fleet uses a fifth of the quota, by chance spread over
// the window, and the fleet wants all but a twentieth: the upstream seldom
// refuses, and callers see none of it.
func TestFleetSharesTheQuotaWithOthers(t *testing.T) {
	t.Parallel()
	o, windows := quotaOptions{limit: 250, window: 5 * time.Second}, 2
	most := 1.0 // 429s a window while the margin is learned
	if *long {
		o, windows, most = quotaOptions{limit: 500, window: 10 * time.Second}, 12, 0.5
	}
	o.quota = "max_wait: {batch: 12s}"
	q := newQuotaFleet(t, redistest.Single(t), o)
	outside := q.spendOutside(t, float64(o.limit)/5/o.window.Seconds())
	demands := q.overload(0.95)
	for i := range demands {
		demands[i].random = true
	}
	load := q.offer(t, demands...)
	q.fullWindows(t, 1) // the others are found out
	start := q.fullWindows(t, windows)
	calls := load.stop()
	spent := outside()

	seen := q.windows("crm", start, windows)
	refused, used := 0, 0
	for _, w := range seen {
		refused, used = refused+w.refused, used+w.used
	}
	shown := 0
	for _, c := range calls {
		if c.source == "upstream" {
			shown++
		}
	}
	each := float64(refused) / float64(windows)
	t.Logf("%s used in windows of %d beside %d calls of others: %.2f refused per window, %d of them shown to callers", uses(seen), o.limit, spent, each, shown)
	if each > most {
		t.Errorf("the upstream refused %.2f per window, want at most %.2f", each, most)
	}
	if shown > 0 {
		t.Errorf("callers saw %d refusals of the upstream: each could have been repeated", shown)
	}
	if least := o.limit * windows * 7 / 10; used < least {
		t.Errorf("%d used, want at least %d of the four fifths that others leave", used, least)
	}
}

// spendOutside has somebody else use the quota of the credential, and returns
// how many calls had room once it is called.
func (q *quotaFleet) spendOutside(t *testing.T, rate float64) func() int {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int)
	go func() {
		n := 0
		for next := time.Now(); ; n++ {
			next = next.Add(time.Duration(rand.ExpFloat64() / rate * float64(time.Second)))
			due := time.NewTimer(time.Until(next))
			select {
			case <-ctx.Done():
				due.Stop()
				done <- n
				return
			case <-due.C:
			}
			if fitted, err := q.Consume("", "crm", rigSecrets.client, 1); err != nil {
				t.Error(err)
			} else if !fitted {
				n--
			}
		}
	}()
	return func() int {
		cancel()
		return <-done
	}
}

// A caller that must not wait is told who holds how much and when to come
// again; one that comes then gets through.
func TestFleetTellsWhenToComeAgain(t *testing.T) {
	t.Parallel()
	q := newQuotaFleet(t, redistest.Single(t), quotaOptions{limit: 40, window: 5 * time.Second, apps: 2})
	q.fullWindows(t, 0)
	hurried := demand{caller: till, noWait: true}
	for range 40 {
		q.ask(t.Context(), q.next(), demand{caller: q.apps[0], noWait: true})
	}
	var refused quotaCall
	for i := 0; refused.status != http.StatusTooManyRequests; i++ {
		if refused = q.ask(t.Context(), q.next(), hurried); i > 40 {
			t.Fatal("nothing is refused")
		}
	}
	var body struct {
		Bucket, Reason string
		Limit          int
		Opens          int `json:"opens_in_seconds"`
		Top            []struct {
			Caller string
			Used   int
		}
	}
	if err := json.Unmarshal([]byte(refused.text), &body); err != nil {
		t.Fatalf("%v: %s", err, refused.text)
	}
	if refused.source != "gateway" || body.Bucket != "sim/crm/authenticated" || body.Limit != 40 || body.Opens < 1 || refused.retry <= 0 ||
		len(body.Top) == 0 || body.Top[0].Caller != q.apps[0] {
		t.Errorf("source %q, Retry-After %s, %+v: %s", refused.source, refused.retry, body, refused.text)
	}
	if refused.waited > tolerable {
		t.Errorf("it waited %s, and must not", refused.waited)
	}
	pass(t, time.Until(refused.begun.Add(refused.took+refused.retry)))
	if c := q.ask(t.Context(), q.next(), hurried); c.status != http.StatusOK {
		t.Errorf("after Retry-After of %s: %d %s", refused.retry, c.status, c.text)
	}
	if n := q.Counts()["sandbox"]["crm"].OverQuota; n > 0 {
		t.Errorf("the upstream refused %d", n)
	}
}

// tolerable is one trip to Redis on a busy machine.
const tolerable = 100 * time.Millisecond

// With enforce: false nothing is held or refused by the gateways; they count
// what they would have held.
func TestFleetWatchesAQuota(t *testing.T) {
	t.Parallel()
	q := newQuotaFleet(t, redistest.Single(t), quotaOptions{limit: 50, window: 5 * time.Second, quota: "enforce: false"})
	load := q.offer(t, q.overload(2)...)
	q.fullWindows(t, 1)
	calls := load.stop()
	upstream := 0
	for _, c := range calls {
		if c.stopped {
			continue
		}
		if c.status == http.StatusTooManyRequests && c.source == "upstream" {
			upstream++
		} else if c.status != http.StatusOK || c.waited > 0 {
			t.Errorf("%d after %s by %q: %s", c.status, c.waited, c.source, c.text)
		}
	}
	var held float64
	for _, r := range q.all {
		held += q.metric(t, r, "iqgw_quota_shadow_held_total")
	}
	t.Logf("%d calls, %d refused by the upstream; the gateways would have held %v", len(calls), upstream, held)
	if upstream == 0 || held < float64(upstream)/2 {
		t.Errorf("the upstream refused %d and the gateways would have held %v: not what this is about", upstream, held)
	}
}
