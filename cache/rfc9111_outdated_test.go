package cache_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/cache"
	"iqgateway/cache/storetest"
)

// TestRFC9111_4_3_3_WhatIsNotStoredReplacesToo: when the upstream has answered
// otherwise, the older answer is used no more, neither as stale nor as fresh.
// What says nothing about it leaves it as it is.
func TestRFC9111_4_3_3_WhatIsNotStoredReplacesToo(t *testing.T) {
	const noStore = "Cache-Control: no-store"
	for _, row := range []struct {
		name     string
		says     *says
		replaces bool
	}{
		{"not to be stored", &says{fields: []string{noStore}}, true},
		{"a redirection", &says{status: 302, fields: []string{noStore}}, true},
		{"gone", &says{status: 404, fields: []string{noStore}}, true},
		{"gone for ever", &says{status: 410, fields: []string{noStore}}, true},
		{"too large", &says{body: strings.Repeat("x", 100), fields: []string{fresh60}}, true},
		{"too large, of unknown length", &says{body: strings.Repeat("x", 100), fields: []string{fresh60, "Trailer: X-End"}}, true},
		{"forbidden", &says{status: 403, fields: []string{noStore}}, false},
		{"too many requests", &says{status: 429, fields: []string{noStore}}, false},
		{"a failure", &says{status: 500, fields: []string{noStore}}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			bothModes(t, func(t *testing.T, mode cache.Mode) {
				service := staleRules(mode, time.Hour, time.Hour)
				service.MaxObject = 50
				sc := newScript(t, mode, stackOptions{service: service})
				old := &says{fields: []string{"Cache-Control: max-age=60, stale-while-revalidate=3600, stale-if-error=3600"}, body: "old"}
				sc.run(t, step{says: old, body: "old", cache: "fwd=uri-miss"})
				sc.pass(70 * time.Second)
				sc.says.Store(row.says)
				sc.run(t, step{body: "old", cache: "hit; ttl=-", asked: -1})
				eventually(t, "the refresh", func() bool { return sc.asked.Load() == 2 && !sc.nodes[0].cache.Refreshing() })
				next := step{body: "old", cache: "hit; ttl=-", asked: -1}
				if row.replaces {
					next = step{status: row.says.status, body: "*", cache: "fwd=uri-miss"}
				}
				sc.run(t, next)
				failed := step{says: &says{status: 500, body: "failed"}, status: 500, body: "failed", cache: "fwd=uri-miss"}
				if !row.replaces {
					failed = next
				}
				sc.run(t, failed)
			})
		})
	}
}

// TestRFC9111_4_3_5_OutdatedForAll: what a HEAD has shown to be outdated comes
// back neither from the tier nor from another replica.
func TestRFC9111_4_3_5_OutdatedForAll(t *testing.T) {
	rule := everything()
	rule.NoCache = cache.NoCacheObey
	fleet := fleetOf(storetest.NewLog(), storetest.NewTier())
	sc := newScript(t, cache.ModePolicy, stackOptions{rule: rule, nodes: 2, options: fleet})
	sc.heard()
	sc.says.Store(&says{fields: []string{`Etag: "1"`}, body: "one"})
	sc.get("/v1/a").want(t, 200, "one", "fwd=uri-miss")
	sc.askNode(1, "GET", "/v1/a", "").want(t, 200, "one", "hit")
	sc.says.Store(&says{fields: []string{`Etag: "2"`}, body: "two"})
	sc.ask("HEAD", "/v1/a", "Cache-Control: no-cache").want(t, 200, "", "fwd=request; fwd-status=200")
	sc.get("/v1/a").want(t, 200, "two", "fwd=uri-miss")
	eventually(t, "the other one hears", func() bool { return sc.askNode(1, "GET", "/v1/a", "").body == "two" })
	sc.wantAsked(3)
}

// heldTier lets nobody read until it is opened.
type heldTier struct {
	cache.Tier
	held *atomic.Bool
	come chan struct{}
	open chan struct{}
}

// Get implements [cache.Tier].
func (h heldTier) Get(ctx context.Context, name string) (cache.Entry, error) {
	if h.held.Load() {
		h.come <- struct{}{}
		<-h.open
	}
	return h.Tier.Get(ctx, name)
}

// TestRFC9111_5_2_1_4_NoCacheBesideOthers: who wants the upstream asked is not
// content with what others, at the same time, get from another replica.
func TestRFC9111_5_2_1_4_NoCacheBesideOthers(t *testing.T) {
	rule := everything()
	rule.NoCache = cache.NoCacheObey
	tier := heldTier{storetest.NewTier(), new(atomic.Bool), make(chan struct{}, 10), make(chan struct{})}
	log := storetest.NewLog()
	var entered atomic.Int64
	sc := newScript(t, cache.ModePolicy, stackOptions{
		rule: rule, nodes: 2, stage: countRequests(&entered),
		options: func(int) cache.Options { return cache.Options{Memory: 1 << 20, Log: log, Tier: tier} },
	})
	sc.heard()
	sc.get("/v1/a").want(t, 200, "answer 1", "fwd=uri-miss")
	tier.held.Store(true)
	var both sync.WaitGroup
	both.Go(func() { sc.askNode(1, http.MethodGet, "/v1/a", "").want(t, 200, "answer 1", "hit") })
	<-tier.come
	both.Go(func() {
		sc.askNode(1, http.MethodGet, "/v1/a", "", "Cache-Control: no-cache").want(t, 200, "answer 2", "fwd=")
	})
	eventually(t, "two are there", func() bool { return entered.Load() == 3 })
	tier.held.Store(false)
	close(tier.open)
	both.Wait()
	sc.wantAsked(2)
}
