package main

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/cache"
	"iqgateway/internal/fleet"
)

// cacheRig is an admin server with the cache's endpoints over a cache that does
// what the test says.
type cacheRig struct {
	stats cache.Stats
	tier  cacheTier
	heard time.Duration // ago
	after fleet.Result
	err   error
	deeds
}

func (c *cacheRig) start(t *testing.T) []string {
	t.Helper()
	admin := cacheAdmin{
		replica: "q7x", now: quotaNow, known: knownServices, logged: c.heard != 0,
		stats: func() cache.Stats { return c.stats }, tier: func() cacheTier { return c.tier },
		limit: func() int64 { return 256 << 20 }, heard: func() time.Time { return quotaNow().Add(-c.heard) },
		purge: func(_ context.Context, events []cache.Event) (fleet.Result, error) {
			for _, e := range events {
				c.note("%s %s/%s %s%s", e.Kind, e.Service.Environment, e.Service.Service, e.Path, e.Tag)
			}
			return c.after, c.err
		},
		audit: func(_ context.Context, message string, _ ...slog.Attr) { c.note("audit: %s", message) },
	}
	return adminServer(t, admin.endpoints()...)
}

func someStats() cache.Stats {
	return cache.Stats{
		Bytes: 1536 << 10, Entries: 3,
		Services: []cache.ServiceStats{
			{Environment: "production", Service: "crm", Bytes: 1536 << 10, Counts: cache.Counts{
				Hits: 90, Misses: map[string]uint64{"uri-miss": 4, "stale": 2}, Bypass: map[string]uint64{"write": 7},
				Coalesced: 3, Revalidated: 1, SavedCalls: 93, SavedTokens: 90,
			}, Callers: map[string]cache.Counts{"storefront": {SavedCalls: 93}}},
			{Environment: "production", Service: "pricing", Counts: cache.Counts{SuggestedHits: 5, SuggestedMisses: 2}},
		},
	}
}

func TestCacheCommands(t *testing.T) {
	all := fleet.Result{Replicas: 3, Followed: 3}
	const audited = "audit: an operator has purged the cache"
	const notYet = audited + ", and not every replica has followed yet"
	tests := map[string]struct {
		args []string
		rig  *cacheRig
		code int
		want []string // in what is printed
		done []string // on the server
	}{
		"stats": {
			args: []string{"stats"}, rig: &cacheRig{stats: someStats(), tier: cacheTier{Store: "cache_redis", Up: true}, heard: 40 * time.Millisecond},
			want: []string{"1.5MiB of 256MiB, 3 stored answers", "in cache_redis\n", "writes of others  heard\n", "production/crm       90     0       3        1           6        7        93 (90 tokens)   -           1.5MiB", "5 of 7"},
		},
		"stats with reasons": {
			args: []string{"stats", "--reasons"}, rig: &cacheRig{stats: someStats()},
			want: []string{"none: ", "this replica is alone", "production/crm   miss     uri-miss   4\nproduction/crm   miss     stale      2\nproduction/crm   bypass   write      7"},
		},
		"stats of one": {args: []string{"stats"}, rig: &cacheRig{stats: cache.Stats{Entries: 1}}, want: []string{"1 stored answer\n"}},
		"stats without the log": {
			args: []string{"stats"}, rig: &cacheRig{heard: 6 * time.Second, tier: cacheTier{Store: "redis", Reason: "dial: refused"}},
			want: []string{"nothing is used that callers can write", "in redis, not used now: dial: refused", "no request has reached the cache yet"},
		},
		"stats as JSON": {args: []string{"stats", "-o", "json"}, rig: &cacheRig{stats: someStats()}, want: []string{`"saved_tokens": 90`, `"storefront": {`, `"limit_bytes": 268435456`, `"stored_answers": 3`}},
		"stats as YAML": {args: []string{"stats", "-o", "yaml"}, rig: &cacheRig{stats: someStats()}, want: []string{"saved_tokens: 90"}},
		"purge a path": {
			args: []string{"purge", "--service", "order", "--path", "/v1/Orders(1)"}, rig: &cacheRig{after: all},
			want: []string{"purged one path of production/order\n3 of 3 replicas have followed\n"}, done: []string{"path production/order /v1/orders(1)", audited},
		},
		"purge alone": {
			args: []string{"purge", "--all"}, rig: &cacheRig{after: fleet.Result{Replicas: 1, Followed: 1, Alone: true, Reason: "no Redis is configured"}},
			want: []string{"purged everything\nthis replica has followed (no Redis is configured)"}, done: []string{"all / ", audited},
		},
		"somebody is behind": {
			args: []string{"purge", "--tag", "prices"}, rig: &cacheRig{after: fleet.Result{Replicas: 3, Followed: 2, Behind: []string{"b2x"}}}, code: exitFailure,
			want: []string{"purged tag prices\n2 of 3 replicas have followed; behind: b2x", "not every replica has followed yet"}, done: []string{"tag / prices", notYet},
		},
		"Redis is away": {
			args: []string{"purge", "--all"}, rig: &cacheRig{after: fleet.Result{Replicas: 3, Followed: 1, Alone: true, Reason: "redis is away"}}, code: exitFailure,
			want: []string{"1 of 3 replicas have followed (redis is away)", "only the replica that was asked has followed"}, done: []string{"all / ", notYet},
		},
		"purge as JSON": {args: []string{"purge", "--all", "-o", "json"}, rig: &cacheRig{after: all}, want: []string{`"followed": 3`}, done: []string{"all / ", audited}},
		"it fails here": {
			args: []string{"purge", "--all"}, rig: &cacheRig{err: storeError("no memory")}, code: exitFailure,
			want: []string{"replica q7x did not follow: no memory"}, done: []string{"all / ", "audit: an operator's purge of the cache has failed"},
		},
		"purge nothing":            {args: []string{"purge", "--service", "crm"}, code: exitUsage, want: []string{"exactly one of path, pattern, url, tag and all"}},
		"purge a path of nobody":   {args: []string{"purge", "--path", "/v1"}, code: exitUsage, want: []string{"name the service too, as --service crm"}},
		"purge what is no path":    {args: []string{"purge", "--service", "crm", "--path", "v1"}, code: exitUsage, want: []string{`"v1" is no path`}},
		"purge with a bad pattern": {args: []string{"purge", "--service", "crm", "--pattern", "/v1/{x"}, code: exitUsage, want: []string{"is not closed"}},
		"purge what is not there":  {args: []string{"purge", "--service", "crn", "--all"}, code: exitFailure, want: []string{`no service "crn" is configured`}},
		"purge a tag of nothing":   {args: []string{"purge", "--tag", "price"}, code: exitFailure, want: []string{`no cache rule has the tag "price"; there is people, prices`}},
		"purge with an argument":   {args: []string{"purge", "--all", "crm"}, code: exitUsage, want: []string{"no argument"}},
		"unknown command":          {args: []string{"stat"}, code: exitUsage, want: []string{"stats"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rig := tt.rig
			if rig == nil {
				rig = &cacheRig{}
			}
			wantCommand(t, rig.start(t), tt.code, tt.want, append([]string{"cache"}, tt.args...)...)
			if diff := cmp.Diff(tt.done, rig.done); diff != "" {
				t.Errorf("done (-want +got)\n%s", diff)
			}
		})
	}
}

// What the help says is enough to use the commands.
func TestCacheHelp(t *testing.T) {
	for _, command := range []string{"stats", "purge"} {
		var stdout, stderr lockedBuffer
		p := program{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr}
		if code := p.run(t.Context(), []string{"cache", command, "--help"}); code != exitOK {
			t.Fatalf("exit code %d: %s", code, stderr.String())
		}
		for _, want := range []string{"Examples:", "gateway cache " + command, "--output"} {
			if !strings.Contains(stdout.String(), want) {
				t.Errorf("%s: no %q", command, want)
			}
		}
	}
}
