package redistest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redistest"
)

// Keys enough to land on every member of a cluster.
func someKeys() []string { return strings.Fields("a b c d e f g h") }

func TestEachTopologyServes(t *testing.T) {
	t.Parallel()
	var modes []string
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		modes = append(modes, topology.Mode())
		r := client(t, topology)
		for _, key := range someKeys() {
			set(t, r, key, "value of "+key)
		}

		dump := topology.Dump(t)
		if len(dump) != len(someKeys()) {
			t.Errorf("%d keys in the dump, want %d", len(dump), len(someKeys()))
		}
		for _, key := range someKeys() {
			if !strings.Contains(dump[key], "value of "+key) {
				t.Errorf("the dump of %q is %q", key, dump[key])
			}
		}
		topology.NoEternalKeys(t)
		if members := topology.Servers(); topology.Mode() == "cluster" {
			for _, member := range members {
				if len(member.Dump(t)) == 0 {
					t.Errorf("no key is on %s", member.Address())
				}
			}
		}

		topology.FlushAll(t)
		if left := topology.Dump(t); len(left) != 0 {
			t.Errorf("after FLUSHALL there is %v", left)
		}
	})
	if want := []string{"single", "sentinel", "cluster"}; !slices.Equal(modes, want) {
		t.Errorf("modes %v, want %v", modes, want)
	}
}

func TestScriptFlushMakesScriptsUnknown(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		r := client(t, topology)
		script := redis.NewScript("return redis.call('SET', KEYS[1], ARGV[1], 'PX', 60000)")
		for _, key := range someKeys() {
			if err := script.Run(t.Context(), r, []string{key}, "x").Err(); err != nil {
				t.Fatal(err)
			}
			if err := script.EvalSha(t.Context(), r, []string{key}, "x").Err(); err != nil {
				t.Fatalf("before the flush: %v", err)
			}
		}
		topology.ScriptFlush(t)
		for _, key := range someKeys() {
			if err := script.EvalSha(t.Context(), r, []string{key}, "x").Err(); !redis.HasErrorPrefix(err, "NOSCRIPT") {
				t.Errorf("after the flush %q has %v, want NOSCRIPT", key, err)
			}
		}
	})
}

func TestKeysWithoutTimeToLiveAreFound(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		r := client(t, topology)
		set(t, r, "mortal", "x")
		if err := r.Set(t.Context(), "forever", "x", 0).Err(); err != nil {
			t.Fatal(err)
		}
		found := record(t, topology.NoEternalKeys)
		found.failsSaying(t, `"forever"`)
		if strings.Contains(found.said.String(), "mortal") {
			t.Error("a key with a time to live is reported too")
		}
	})
}
