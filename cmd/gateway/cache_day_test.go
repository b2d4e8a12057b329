package main

import (
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
	"iqgateway/internal/redistest"
)

// compressed is how much shorter a day and the lifetimes of answers are in a
// replay: the shortest of the catalogue, five minutes, is then the shortest that
// can be configured, a second.
const compressed = 300

// A day of the calls that real clients make, replayed against two gateways with
// the cache and two without it: the upstream sees fewer of them, each write arrives
// once, and no stored Version costs a writer a 409.
//
// Events and lifetimes are compressed by the same factor. What is not: the time
// that a call takes, so that the items of a poll are asked for over more of the
// day than in reality, and the time until all replicas know of a write: managers
// leave half a second between changes of one location, 150 s of that day.
// Shorter lifetimes than a second cannot be set: negative_ttl and
// stale_while_revalidate are left out. All of it makes the cache look worse.
// Prices and stock are not kept, as in the catalogue.
func TestFleetCacheDay(t *testing.T) {
	o := dayOptions{seed: 5, callers: dayCallers(), from: 10 * time.Hour, to: 10*time.Hour + 30*time.Minute}
	rig := dayRig{factor: compressed, items: 3000}
	if *long {
		o.from, o.to = 0, day
	}
	with := newDayShop(t, redistest.Single(t), rig)
	o.items, o.lists = len(with.items), len(with.lists)
	events := planDay(o)
	begun := with.replay(t, events, compressed)
	with.wantGood(t, events)

	rig.none = true
	without := newDayShop(t, redistest.Single(t), rig)
	without.replay(t, events, 0)
	without.wantGood(t, events)
	without.wantAllUpstream(t)

	report(t, with, without)
	wantSaved(t, with)
	a, b := with.busiest("catalogs", begun)
	t.Logf("the busiest minute of catalogs: %d calls asked for, %d went upstream; its quota is 500", a, b)
	asked, fetched := with.upstream(), without.upstream()
	for _, service := range []string{"catalogs", "productlibrary", "pricing", "availability", "crm"} {
		if a, b := with.asked[service].asked, without.asked[service].asked; a != b {
			t.Errorf("%s was asked %d times with the cache and %d times without: not the same day", service, a, b)
		}
	}
	for service, most := range map[string]float64{"catalogs": 0.5, "productlibrary": 0.9, "entitymanager": 0.9} {
		if part := float64(asked[service]) / float64(fetched[service]); part > most {
			t.Errorf("%s: %.0f %% of the calls went upstream, want at most %.0f %%", service, 100*part, 100*most)
		}
	}
}

// wantGood wants every flow to have ended well, every write to have arrived
// once, and no 409.
func (s *dayShop) wantGood(t *testing.T, events []dayEvent) {
	t.Helper()
	if len(s.wrong) > 0 {
		t.Errorf("%d flows failed: %q", len(s.wrong), s.wrong[:min(len(s.wrong), 3)])
	}
	if n := s.conflicts.Load(); n > 0 || s.written.Load() == 0 {
		t.Errorf("%d of %d changes of locations were refused with 409", n, s.written.Load())
	}
	flows := map[dayFlow]int{}
	for _, e := range events {
		flows[e.flow]++
	}
	wrote := map[string]int{}
	for _, e := range s.Ledger(iqsim.LedgerQuery{}) {
		switch e.Method {
		case http.MethodPut:
			wrote["location"]++
		case http.MethodPost:
			wrote[e.Target[strings.LastIndexByte(e.Target, '/')+1:]]++
		}
	}
	for what, want := range map[string]int{
		"OrderFull": flows[flowOrder], "Process": flows[flowOrder], "SaleInvoice": flows[flowOrder], "location": flows[flowLocation],
	} {
		if wrote[what] != want {
			t.Errorf("%d writes of %s reached the upstream, want %d", wrote[what], what, want)
		}
	}
}

// wantAllUpstream wants every call to have gone upstream.
func (s *dayShop) wantAllUpstream(t *testing.T) {
	t.Helper()
	for service, n := range s.upstream() {
		if c := s.asked[service]; c.asked != n || c.hits > 0 || c.collapsed > 0 {
			t.Errorf("%s without the cache: %+v, and %d upstream calls", service, *c, n)
		}
	}
}

// wantSaved wants every call to be accounted for: asked upstream, or answered
// from what is stored, or by the answer to somebody else's call; and the
// gateways to say the same.
func wantSaved(t *testing.T, s *dayShop) {
	t.Helper()
	saved := s.saved(t)
	for service, n := range s.upstream() {
		c := s.asked[service]
		if n+c.hits+c.collapsed != c.asked {
			t.Errorf("%s: %d asked, %d hits, %d collapsed, %d upstream calls", service, c.asked, c.hits, c.collapsed, n)
		}
		if k := saved[service]; int(k.SavedCalls) != c.hits+c.collapsed || k.SavedTokens != k.SavedCalls {
			t.Errorf("%s: %d calls and %d tokens saved by the gateways' count, %d by the callers'", service, k.SavedCalls, k.SavedTokens, c.hits+c.collapsed)
		}
	}
}

// busiest returns the most calls of a service in a minute of the day, as asked
// for and as they went upstream.
func (s *dayShop) busiest(service string, begun time.Time) (asked, upstream int) {
	most := func(times iter.Seq[time.Time]) int {
		counts := map[time.Duration]int{}
		n := 0
		for at := range times {
			minute := (at.Sub(begun) * compressed).Truncate(time.Minute)
			counts[minute]++
			n = max(n, counts[minute])
		}
		return n
	}
	sent := s.Ledger(iqsim.LedgerQuery{Service: service})
	return most(slices.Values(s.times[service])), most(func(yield func(time.Time) bool) {
		for _, e := range sent {
			if !yield(e.Time) {
				return
			}
		}
	})
}

// report logs what the cache has saved.
func report(t *testing.T, with, without *dayShop) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%-24s %8s %8s %8s %6s %9s %8s %8s\n", "service", "without", "with", "hits", "ratio", "collapsed", "calls", "tokens")
	a, z, saved := with.upstream(), without.upstream(), with.saved(t)
	var sum struct{ with, without, asked, hits, collapsed, calls, tokens int }
	for _, service := range dayServices() {
		c, kept := with.asked[service], saved[service]
		fmt.Fprintf(&b, "%-24s %8d %8d %8d %5.1f%% %9d %8d %8d\n", service, z[service], a[service], c.hits,
			100*float64(c.hits)/float64(c.asked), c.collapsed, kept.SavedCalls, kept.SavedTokens)
		sum.with, sum.without = sum.with+a[service], sum.without+z[service]
		sum.asked, sum.hits, sum.collapsed = sum.asked+c.asked, sum.hits+c.hits, sum.collapsed+c.collapsed
		sum.calls, sum.tokens = sum.calls+int(kept.SavedCalls), sum.tokens+int(kept.SavedTokens)
	}
	fmt.Fprintf(&b, "%-24s %8d %8d %8d %5.1f%% %9d %8d %8d\n", "all", sum.without, sum.with, sum.hits,
		100*float64(sum.hits)/float64(sum.asked), sum.collapsed, sum.calls, sum.tokens)
	t.Logf("upstream calls without and with the cache, what callers saw, and what the gateways say they saved; %d changes of locations, %d conflicts\n%s",
		with.written.Load(), with.conflicts.Load(), b.String())
}
