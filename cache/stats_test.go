package cache

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iqgateway/internal/exchange"
)

func TestStats(t *testing.T) {
	s, m := newStats(), newMemory(1<<20, nil)
	o := stateObject("/v1/items/1", 1000)
	m.put(o)
	crm, catalogs := ServiceName{"production", "crm"}, o.Route.Service
	for _, e := range []struct {
		service ServiceName
		caller  string
		view    exchange.CacheView
	}{
		{catalogs, "shop", exchange.CacheView{Result: exchange.CacheHit, Reason: "is not told", Saved: 1}},
		{catalogs, "shop", exchange.CacheView{Result: exchange.CacheHit, Saved: 1}},
		{catalogs, "pos", exchange.CacheView{Result: exchange.CacheMiss, Reason: "uri-miss"}},
		{catalogs, "shop", exchange.CacheView{Result: exchange.CacheMiss, Reason: "uri-miss"}},
		{catalogs, "shop", exchange.CacheView{Result: exchange.CacheMiss, Reason: "vary-miss"}},
		{catalogs, "shop", exchange.CacheView{Result: exchange.CacheStale, Reason: "quota", Saved: 1}},
		{catalogs, "shop", exchange.CacheView{Result: exchange.CacheCoalesced, Saved: 1}},
		{catalogs, "shop", exchange.CacheView{Result: exchange.CacheRevalidated}},
		{crm, "pos", exchange.CacheView{Result: exchange.CacheBypass, Reason: "rule"}},
		{crm, "pos", exchange.CacheView{Result: exchange.CacheNone}},
	} {
		s.count(e.service, e.caller, e.view, 2)
	}
	s.stored(catalogs, "shop")
	s.suggested(crm, "pos", true)
	s.suggested(crm, "pos", false)
	s.suggested(crm, "pos", false)
	s.evicted(500)

	shop := Counts{
		Hits: 2, Misses: map[string]uint64{"uri-miss": 1, "vary-miss": 1}, Stale: map[string]uint64{"quota": 1},
		Coalesced: 1, Revalidated: 1, Stored: 1, SavedCalls: 4, SavedTokens: 8,
	}
	both := shop
	both.Misses = map[string]uint64{"uri-miss": 2, "vary-miss": 1}
	pos := Counts{Bypass: map[string]uint64{"rule": 1}, SuggestedHits: 1, SuggestedMisses: 2}
	want := Stats{
		Services: []ServiceStats{
			{
				Environment: "production", Service: "catalogs", Counts: both, Bytes: m.bytes(),
				Callers: map[string]Counts{"shop": shop, "pos": {Misses: map[string]uint64{"uri-miss": 1}}},
			},
			{Environment: "production", Service: "crm", Counts: pos, Callers: map[string]Counts{"pos": pos}},
		},
		Bytes: m.bytes(), Entries: 1, Evicted: 500,
	}
	if d := cmp.Diff(want, s.Snapshot(m)); d != "" {
		t.Error(d)
	}
}

func TestStatsAreBounded(t *testing.T) {
	s := newStats()
	for i := range 500 {
		for _, result := range []exchange.CacheResult{exchange.CacheMiss, exchange.CacheBypass, exchange.CacheHit, exchange.CacheStale} {
			s.count(ServiceName{"e", "s"}, "c", exchange.CacheView{Result: result, Reason: fmt.Sprint(i)}, 0)
		}
	}
	s.count(ServiceName{"e", "s"}, "c", exchange.CacheView{Result: exchange.CacheCoalesced}, 0)
	s.count(ServiceName{"e", "s"}, "c", exchange.CacheView{Result: exchange.CacheRevalidated}, 0)
	c := s.Snapshot(nil).Services[0].Counts
	if n := len(*s.outcomes.Load()); n > maxOutcomes || len(c.Misses)+len(c.Stale)+len(c.Bypass)+3 != n {
		t.Errorf("%d outcomes", n)
	}
	for what, by := range map[string]map[string]uint64{"misses": c.Misses, "stale": c.Stale, "bypass": c.Bypass} {
		var sum uint64
		for _, n := range by {
			sum += n
		}
		if sum != 500 || by[otherName] == 0 {
			t.Errorf("%d %s, %d of them for other reasons", sum, what, by[otherName])
		}
	}
	if c.Hits != 500 || c.Coalesced != 1 || c.Revalidated != 1 {
		t.Errorf("%+v", c)
	}
	for i := range maxTallies + 100 {
		s.stored(ServiceName{"e", "s"}, fmt.Sprint(i))
	}
	all := s.Snapshot(nil)
	if n := len(all.Services[0].Callers); n != maxTallies || all.Services[1].Service != otherName || all.Services[1].Stored != 101 {
		t.Errorf("%d callers, %+v", n, all.Services[1].Counts)
	}
}

func TestStatsAreConcurrent(t *testing.T) {
	s := newStats()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 1000 {
				s.count(ServiceName{"e", "s"}, fmt.Sprint(i%7), exchange.CacheView{Result: exchange.CacheMiss, Reason: fmt.Sprint(i % 100), Saved: 1}, 1)
				s.Snapshot(nil)
			}
		})
	}
	all.Wait()
	c := s.Snapshot(nil).Services[0]
	var misses uint64
	for _, n := range c.Misses {
		misses += n
	}
	if misses != 4000 || c.SavedCalls != 4000 || len(c.Callers) != 7 {
		t.Errorf("%d misses, %d saved, %d callers", misses, c.SavedCalls, len(c.Callers))
	}
}

func BenchmarkStats(b *testing.B) {
	s := newStats()
	hit := exchange.CacheView{Result: exchange.CacheHit, Saved: 1}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s.count(ServiceName{"production", "catalogs"}, "shop", hit, 1)
		}
	})
}
