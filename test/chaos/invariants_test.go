package chaos_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
	"iqgateway/test/chaos"
	"iqgateway/test/rig"
)

// secrets are the canaries, and what became secret on the way.
func (f *fleet) secrets() []string {
	return append(f.tokens.All(), f.key, canaries.client, canaries.secret, canaries.user, canaries.password, canaries.admin)
}

// searchSecrets is I1: no canary in the gateways' logs, nor in Redis, where
// nothing stays for ever either. And I7: no panic.
func (c *court) searchSecrets(t *testing.T) {
	t.Helper()
	for _, g := range c.gateways {
		c.searchLog(t, g)
	}
	if c.trio != nil {
		c.trio.Settle(t)
	}
	var stored strings.Builder
	for name, value := range c.redis.Dump(t) {
		stored.WriteString(name + "\n" + value + "\n")
	}
	c.searchText(t, "Redis", stored.String())
	c.redis.NoEternalKeys(t)
}

func (c *court) searchLog(t *testing.T, g *rig.Gateway) {
	t.Helper()
	text := g.Log.Take()
	c.searchText(t, "the log of a gateway", text)
	for _, trouble := range []string{"panic", "DATA RACE", "fatal error", "goroutine 1 ["} {
		if at := strings.Index(text, trouble); at >= 0 {
			t.Errorf("I7: %q in the log of a gateway: %s", trouble, around(text, at))
		}
	}
}

func (c *court) searchText(t *testing.T, where, text string) {
	t.Helper()
	for _, secret := range c.secrets() {
		for _, form := range spellings(secret) {
			if at := strings.Index(text, form); at >= 0 {
				t.Errorf("I1: a secret (%.12s…) stands in %s: %s", secret, where, around(text, at))
			}
		}
	}
}

func spellings(s string) []string {
	raw := []byte(s)
	return []string{
		s, url.QueryEscape(s), hex.EncodeToString(raw), base64.StdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw),
	}
}

func around(text string, at int) string { return text[max(0, at-200):min(len(text), at+400)] }

// judgeQuota is a part of I8: the upstream refuses no call for want of quota in
// windows in which nothing was disturbed. A slow or frozen way delivers in one
// window what was granted for another.
func (c *court) judgeQuota(t *testing.T, entries []iqsim.LedgerEntry) {
	t.Helper()
	refused := map[time.Time]int{}
	for _, e := range entries {
		if e.Service == metered && e.Status == http.StatusTooManyRequests && len(e.Faults) == 0 {
			refused[e.Time.Truncate(quotaWindow)]++
		}
	}
	for window, n := range refused {
		if !c.journal.Touches(chaos.Everywhere, window.Add(-quotaWindow), window.Add(quotaWindow)) {
			t.Errorf("I8: %d calls over the limit in the undisturbed window from %s", n, window.Format("05"))
		}
	}
}

// recovery is how soon a gateway serves again after all trouble has ended.
const recovery = 35 * time.Second

// inCalm is how many calls in a row each gateway must serve then.
const inCalm = 30

// calm lets the fleet recover, and then nothing at all may fail: each write is
// executed once, and the gateways' count of the quota is the upstream's (I8).
func (c *court) calm(t *testing.T) {
	t.Helper()
	healed := time.Now()
	var calls []chaos.Call
	number := 0
	ask := func(replica int) bool {
		number++
		q := request{nonce: fmt.Sprintf("c-%06d", number), replica: replica, method: http.MethodPost, service: metered, size: 10, over: []way{https, http2}[number%2]}
		calls = append(calls, c.call(t.Context(), q))
		return calls[len(calls)-1].Answer.Status == http.StatusOK
	}
	all := func(replica int) bool { // a breaker that has just closed lets the load return in steps
		for range inCalm {
			if !ask(replica) {
				return false
			}
		}
		return true
	}
	for replica := range replicas {
		rig.Must(t, rig.Await(t.Context(), recovery, fmt.Sprintf("replica %d serves again", replica), func() bool { return all(replica) }))
	}
	t.Logf("all serve again within %s", time.Since(healed).Round(time.Millisecond))
	c.hear(t, calls)

	calls = nil
	before, spent := c.taken(t), c.Counts()["sandbox"][metered].Requests
	for i := range inCalm * replicas {
		if !ask(i % replicas) {
			a := calls[len(calls)-1].Answer
			t.Errorf("in calm: %d %s %v", a.Status, a.Body, a.Err)
		}
	}
	c.hear(t, calls)
	if gateways, upstream := c.taken(t)-before, c.Counts()["sandbox"][metered].Requests-spent; gateways != float64(upstream) {
		t.Errorf("I8: the gateways counted %v calls, the upstream %d", gateways, upstream)
	}
}

// taken is how many tokens of the metered quota the gateways have spent.
func (f *fleet) taken(t *testing.T) float64 {
	t.Helper()
	var sum float64
	for _, g := range f.gateways {
		metrics, err := g.Metrics(t.Context())
		rig.Must(t, err)
		n, err := metrics.Sum("iqgw_quota_caller_tokens_total", `service="`+metered+`"`)
		rig.Must(t, err)
		sum += n
	}
	return sum
}
