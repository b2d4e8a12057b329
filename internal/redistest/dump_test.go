package redistest_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redistest"
)

// The canary holds what a careless rendering would change.
const canary = "can\x00ary \"\xff\"\\\r\n"

func TestDumpFindsACanaryAnywhere(t *testing.T) {
	server := redistest.Single(t)
	r := client(t, server)
	for place, plant := range map[string][]any{
		"name":            {"SET", "k" + canary, "x"},
		"string":          {"SET", "k", "a" + canary},
		"bitmap":          {"SETRANGE", "k", 100, canary},
		"hash field":      {"HSET", "k", "a" + canary, "x"},
		"hash value":      {"HSET", "k", "x", "a" + canary},
		"list":            {"RPUSH", "k", "x", "y", "a" + canary},
		"set":             {"SADD", "k", "x", "a" + canary},
		"sorted set":      {"ZADD", "k", 1, "x", 2, "a" + canary},
		"stream field":    {"XADD", "k", "*", "a" + canary, "x"},
		"stream value":    {"XADD", "k", "*", "x", "a" + canary},
		"stream group":    {"XGROUP", "CREATE", "k", "a" + canary, "0", "MKSTREAM"},
		"stream consumer": {"EVAL", "redis.call('XGROUP','CREATE',KEYS[1],'g','0','MKSTREAM') return redis.call('XGROUP','CREATECONSUMER',KEYS[1],'g',ARGV[1])", 1, "k", canary},
	} {
		t.Run(place, func(t *testing.T) {
			if err := r.Do(t.Context(), plant...).Err(); err != nil {
				t.Fatal(err)
			}
			dump := server.Dump(t)
			if len(dump) != 1 {
				t.Errorf("%d keys, want 1", len(dump))
			}
			for _, text := range dump {
				if !strings.Contains(text, canary) {
					t.Errorf("the canary is not in %q", text)
				}
			}
			server.FlushAll(t)
		})
	}
}

func TestDumpHoldsEverythingOfLargeKeys(t *testing.T) {
	server := redistest.Single(t)
	r := client(t, server)
	script := redis.NewScript(`for i = 1, 5000 do
		redis.call('HSET', 'hash', 'field' .. i, 'value' .. i)
		redis.call('XADD', 'stream', '*', 'field', 'value' .. i)
		redis.call('SET', 'key' .. i, i) end`)
	if err := script.Run(t.Context(), r, nil).Err(); err != nil && !errors.Is(err, redis.Nil) {
		t.Fatal(err)
	}
	dump := server.Dump(t)
	if want := 5002; len(dump) != want {
		t.Errorf("%d keys, want %d", len(dump), want)
	}
	for _, key := range []string{"hash", "stream"} {
		for _, value := range []string{"value1\n", "value2500\n", "value5000\n"} {
			if !strings.Contains(dump[key], value) {
				t.Errorf("%q is not in the dump of the %s", value, key)
			}
		}
	}
}

func TestDumpStatesTypeAndTimeToLive(t *testing.T) {
	server := redistest.Single(t)
	r := client(t, server)
	if err := r.HSet(t.Context(), "forever", "f", "v").Err(); err != nil {
		t.Fatal(err)
	}
	if err := r.Set(t.Context(), "mortal", "v", time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	dump := server.Dump(t)
	if want := "name: forever\ntype: hash\nttl: -1\nf\nv\n"; dump["forever"] != want {
		t.Errorf("got %q, want %q", dump["forever"], want)
	}
	if want := "name: mortal\ntype: string\nttl: 3"; !strings.HasPrefix(dump["mortal"], want) {
		t.Errorf("got %q, want %q and about 3,600,000", dump["mortal"], want)
	}
}

func TestDumpRefusesKeysThatItWouldMiss(t *testing.T) {
	server := redistest.Single(t)
	if reply := server.CLI(t, "-n", "3", "SET", "hidden", "x", "EX", "60"); reply != "OK" {
		t.Fatal(reply)
	}
	record(t, func(t testing.TB) { server.Dump(t) }).failsSaying(t, "outside of database 0", "db3:keys=1")
	record(t, server.NoEternalKeys).failsSaying(t, "outside of database 0")
}
