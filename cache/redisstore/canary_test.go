package redisstore_test

import (
	"strings"
	"testing"
	"time"

	"iqgateway/cache"
	"iqgateway/internal/redistest"
)

func TestNothingReadableLiesInRedis(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		r := newReplica(t, topology, setup{})
		const name = "canary-name/v1/canary-path?canary-query"
		r.mustPut(t, name, "canary-body canary-caller", "")
		r.mustPut(t, name+"2", strings.Repeat("canary-long-body ", 1000), "")
		r.mustClaim(t, name)
		if err := r.Release(t.Context(), name, "", time.Minute); err != nil {
			t.Fatal(err)
		}
		service := cache.ServiceName{Environment: "canary-environment", Service: "canary-service"}
		r.append(t, cache.Event{ID: 7, Kind: cache.DropKey, Service: service, Path: "/canary-dropped-path", Query: "canary-dropped-query"},
			cache.Event{ID: 8, Kind: cache.DropTag, Tag: "canary-tag"})
		r.since(t, cache.Position{})

		dump := topology.Dump(t)
		if len(dump) != 5 {
			t.Fatalf("%d keys, want two values, a claim, an alone and the log", len(dump))
		}
		var all strings.Builder
		for key, text := range dump {
			all.WriteString(key + "\n" + text + "\n")
		}
		for _, canary := range []string{
			"canary-name", "canary-path", "canary-query", "canary-body", "canary-caller", "canary-long-body", "canary-environment",
			"canary-service", "canary-dropped-path", "canary-dropped-query", "canary-tag", "canary-",
		} {
			for _, form := range redistest.Disguises(canary) {
				if strings.Contains(all.String(), form) {
					t.Errorf("%q can be read as %q", canary, form)
				}
			}
		}
		topology.NoEternalKeys(t)
	})
}
