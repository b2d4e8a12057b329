package redisstore_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redistest"
)

// genuine puts a value and returns its stamp and what is sealed.
func genuine(t *testing.T, r *replica, client redis.UniversalClient, name, value string) (stamp int64, sealed string) {
	t.Helper()
	r.mustPut(t, name, value, "")
	first, sealed, ok := strings.Cut(must[string](t)(client.Get(t.Context(), r.name(name, "value")).Result()), " ")
	stamp, err := strconv.ParseInt(first, 10, 64)
	if !ok || err != nil {
		t.Fatalf("%q, %v", first, err)
	}
	return stamp, sealed
}

func TestForeignValuesAreMissesAndGo(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		r := newReplica(t, topology, setup{})
		client := redistest.Client(t, topology)
		stamp, sealed := genuine(t, r, client, "a", "value")
		_, others := genuine(t, r, client, "b", "value")
		stamped := func(at int64, text string) string { return fmt.Sprint(at) + " " + text }
		seal := func(plain string) string {
			return stamped(stamp, must[string](t)(r.conn.Seal("cache", r.name("a", "value"), uint64(stamp), []byte(plain))))
		}
		kind := must[string](t)(r.conn.Seal("token", r.name("a", "value"), uint64(stamp), []byte("\x01\x00")))
		for name, odd := range map[string]struct{ text, counted string }{
			"one byte":           {"x", "value stamp"},
			"no stamp":           {sealed, "value stamp"},
			"stamp 0":            {stamped(0, sealed), "value stamp"},
			"negative":           {stamped(-stamp, sealed), "value stamp"},
			"of the future":      {stamped(stamp+120_000, sealed), "value stamp"},
			"beyond all numbers": {"99999999999999999999 " + sealed, "value stamp"},
			"made younger":       {stamped(stamp+1, sealed), "cache tampered"},
			"made older":         {stamped(stamp-1, sealed), "cache tampered"},
			"of another name":    {stamped(stamp, others), "cache tampered"},
			"of another kind":    {stamped(stamp, kind), "cache tampered"},
			"cut":                {stamped(stamp, sealed[:20]), "cache malformed"},
			"nothing sealed":     {stamped(stamp, ""), "cache malformed"},
			"in clear":           {stamped(stamp, "\x01\x05value"), "cache malformed"},
			"another format":     {seal("\x09\x05value"), "value format"},
			"no format":          {seal(""), "value unreadable"},
			"short":              {seal("\x01\x06value"), "value unreadable"},
			"long":               {seal("\x01\x04value"), "value unreadable"},
			"not compressed":     {seal("\x02\x05value"), "value unreadable"},
			"a bomb":             {seal("\x02\x80\x80\x80\x80\x10x"), "value size"},
			"a giant":            {strings.Repeat("x", 8<<20+1), "value size"},
		} {
			key := r.name("a", "value")
			if err := client.Set(t.Context(), key, odd.text, time.Minute).Err(); err != nil {
				t.Fatal(err)
			}
			before := r.seen.Of(odd.counted)
			if e := r.mustGet(t, "a"); e.Value != nil || e.Claimed || e.Alone {
				t.Errorf("%s: %+v", name, e)
			}
			if n := r.seen.Of(odd.counted) - before; n != 1 {
				t.Errorf("%s: %q was counted %d times; all: %v", name, odd.counted, n, r.seen)
			}
			if n := client.Exists(t.Context(), key).Val(); n != 0 {
				t.Errorf("%s: it is still there", name)
			}
		}
		r.mustPut(t, "a", "value", "")
		if e := r.mustGet(t, "a"); string(e.Value) != "value" {
			t.Errorf("not healed: %+v", e)
		}
	})
}

// Keys of another type, and keys that never end, hold nobody up.
func TestForeignKeysHoldNobodyUp(t *testing.T) {
	server := redistest.Single(t)
	r := newReplica(t, server, setup{})
	client := redistest.Client(t, server)
	for what, put := range map[string]func(key string) error{
		"hash":    func(key string) error { return client.HSet(t.Context(), key, "a", "b").Err() },
		"list":    func(key string) error { return client.RPush(t.Context(), key, "a", "b").Err() },
		"eternal": func(key string) error { return client.Set(t.Context(), key, "x", 0).Err() },
	} {
		for _, field := range []string{"value", "claim", "alone"} {
			name := what + field
			if err := put(r.name(name, field)); err != nil {
				t.Fatal(err)
			}
			if e := r.mustGet(t, name); e.Value != nil || e.Claimed || e.Alone {
				t.Errorf("%s %s: %+v", what, field, e)
			}
			token := r.mustClaim(t, name)
			if !must[bool](t)(r.Renew(t.Context(), name, token, time.Minute)) {
				t.Errorf("%s %s: not renewed", what, field)
			}
			r.mustPut(t, name, "value", token)
			if err := r.Release(t.Context(), name, r.mustClaim(t, name), time.Minute); err != nil {
				t.Errorf("%s %s: %v", what, field, err)
			}
			if e := r.mustGet(t, name); string(e.Value) != "value" || e.Claimed || !e.Alone {
				t.Errorf("%s %s: not healed: %+v", what, field, e)
			}
		}
	}
	server.NoEternalKeys(t)
}
