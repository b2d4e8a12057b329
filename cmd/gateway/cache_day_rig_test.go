package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/auth"
	"iqgateway/cache"
	"iqgateway/config"
	"iqgateway/internal/iqsim"
	"iqgateway/internal/redistest"
)

// dayRig is how a day is replayed.
type dayRig struct {
	// factor compresses: the rules of the catalogue live factor times shorter,
	// so that a day of events in day/factor finds what it would find in a day.
	// 1 = the catalogue as it is.
	factor int
	// none switches the cache off.
	none  bool
	items int // of the catalog
}

// dayServices are the services that a day's flows use.
func dayServices() []string {
	return []string{
		"availability", "catalogs", "crm", "entitymanager", "order", "ordermanagementreporting",
		"pricing", "productlibrary", "salesorder",
	}
}

// dayCallers are the applications: channels that sell the same things.
func dayCallers() []string { return []string{"channel-1", "channel-2", "channel-3"} }

// newDayShop starts two gateways in front of a simulated shop whose quota is in
// nobody's way.
func newDayShop(t *testing.T, topology redistest.Topology, o dayRig) *dayShop {
	t.Helper()
	s := &dayShop{dayClient: &dayClient{keys: map[string]string{}, asked: map[string]*dayCount{}, times: map[string][]time.Time{}}}
	var text strings.Builder
	text.WriteString(fleetHead + "services:\n")
	profiles := map[string]iqsim.Profile{}
	for _, name := range dayServices() {
		fmt.Fprintf(&text, "  %s:\n    quota: {assume: 1000000/60s}\n    cache:\n%s", name, o.rules(t, name))
		p := iqsim.BuiltinProfile(name)
		p.Limit, p.APIMLimit = 1_000_000, "" // it tells of a limit of its own
		profiles[name] = p
	}
	text.WriteString(fleetConfig[len(fleetHead):strings.Index(fleetConfig, "callers:")] + "callers:\n")
	for _, name := range dayCallers() {
		key, digest := auth.NewKey()
		s.keys[name] = key
		fmt.Fprintf(&text, "  %s:\n    keys: [{id: %s-1, sha256: %s}]\n    access: [{credential: retail, services: {\"*\": write}}]\n", name, name, digest)
	}
	s.replicas = newFleet(t, topology, fleetOptions{
		replicas: 2, config: text.String(),
		sim: iqsim.Options{CatalogItems: o.items, Profiles: profiles, LedgerSize: 200_000},
	})
	s.stock(t)
	return s
}

// rules are the catalogue's rules with their times compressed, or none.
func (o dayRig) rules(t *testing.T, service string) string {
	t.Helper()
	if o.none {
		return "      mode: none\n"
	}
	cfg, _, err := config.Load(config.LoadOptions{Data: []byte("version: 1\n"), Path: "gateway.yaml", Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	env, _ := cfg.Environment("sandbox")
	s, ok := env.Service(service)
	if !ok {
		t.Fatalf("the catalogue knows no %s", service)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "      catalogue: %s\n      rules:\n", s.Cache.Catalogue)
	for _, r := range s.CatalogueRules {
		if r.TTL > 0 && s.Cache.Catalogue != "apply" {
			continue
		}
		fmt.Fprintf(&b, "        - {path: %q, ttl: %s", r.Path, o.compress(r.TTL))
		for name, d := range map[string]time.Duration{
			"negative_ttl": r.NegativeTTL, "stale_while_revalidate": r.StaleWhileRevalidate, "stale_if_error": r.StaleIfError,
		} {
			if o.compress(d) != "none" {
				fmt.Fprintf(&b, ", %s: %s", name, o.compress(d))
			}
		}
		if len(r.Invalidates) > 0 {
			list := make([]string, len(r.Invalidates))
			for i, p := range r.Invalidates {
				list[i] = fmt.Sprintf("%q", p)
			}
			fmt.Fprintf(&b, ", invalidates: [%s]", strings.Join(list, ", "))
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// compress returns a duration as a setting. What would be less than the least
// that can be set is left out: that makes the cache look worse, never better.
func (o dayRig) compress(d time.Duration) string {
	if d /= time.Duration(o.factor); d < time.Second {
		return "none"
	}
	return d.String()
}

// stock learns what there is, past the gateways.
func (s *dayShop) stock(t *testing.T) {
	t.Helper()
	var all dayItems
	status, text := s.foreign(t).send(t, http.MethodGet, dayCatalog+"/Items", "")
	if err := json.Unmarshal(text, &all); err != nil || status != http.StatusOK {
		t.Fatalf("%d %v", status, err)
	}
	s.items = all.Items
	for _, item := range s.items {
		if list := item.SourceIDs[0]; !slices.Contains(s.lists, list) {
			s.lists = append(s.lists, list)
		}
	}
	s.ClearLedger()
}

// replay runs the events, each at its time, or all as fast as eight at a time
// can go where the factor is 0. It returns when it began.
func (s *dayShop) replay(t *testing.T, events []dayEvent, factor int) time.Time {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	slots := make(chan struct{}, 8)
	if factor > 0 {
		slots = make(chan struct{}, 1000) // callers do not wait for each other
	}
	var all sync.WaitGroup
	begun := time.Now()
	for _, e := range events {
		if factor > 0 {
			due := time.NewTimer(time.Until(begun.Add((e.at - events[0].at) / time.Duration(factor))))
			<-due.C
		}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if err := s.run(ctx, e); err != nil {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.wrong = append(s.wrong, fmt.Sprintf("%s at %s: %v", e.flow, e.at, err))
			}
		})
	}
	all.Wait()
	return begun
}

// upstream counts what reached the upstream, by service.
func (s *dayShop) upstream() map[string]int {
	counts := map[string]int{}
	for _, service := range dayServices() {
		counts[service] = len(s.Ledger(iqsim.LedgerQuery{Service: service}))
	}
	return counts
}

// saved sums what the replicas say that they have saved.
func (s *dayShop) saved(t *testing.T) map[string]cache.Counts {
	t.Helper()
	sums := map[string]cache.Counts{}
	for _, r := range s.all {
		status, text := s.api(t, r, http.MethodGet, pathCache, "")
		var d cacheDocument
		if err := json.Unmarshal([]byte(text), &d); err != nil || status != http.StatusOK {
			t.Fatalf("%d %v %s", status, err, text)
		}
		for _, one := range d.Services {
			sum := sums[one.Service]
			sum.SavedCalls += one.SavedCalls
			sum.SavedTokens += one.SavedTokens
			sums[one.Service] = sum
		}
	}
	return sums
}
