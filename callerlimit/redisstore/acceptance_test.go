package redisstore_test

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"iqgateway/callerlimit"
	"iqgateway/callerlimit/redisstore"
	"iqgateway/callerlimit/storetest"
	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
)

// replica is one process of a fleet: a connection and a store of its own.
type replica struct {
	*redisstore.Store
	conn *redisconn.Conn
	seen *redistest.Tally
}

func newReplica(t testing.TB, topology redistest.Topology) *replica {
	t.Helper()
	conn, seen := redistest.Connect(t, topology, redisconn.Options{Timeout: redistest.Generous}), &redistest.Tally{}
	store := redisstore.New(conn, redisstore.Options{Hooks: redisstore.Hooks{
		Discarded: func(reason string) { seen.Add("state", reason) },
	}})
	return &replica{Store: store, conn: conn, seen: seen}
}

func TestStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		one, other := newReplica(t, topology), newReplica(t, topology)
		t.Run("suite", func(t *testing.T) { // ends when all of its parallel tests have
			storetest.Run(t, func(*testing.T) storetest.Fleet { return storetest.Fleet{One: one, Other: other} })
		})
		topology.NoEternalKeys(t)
		for i, r := range []*replica{one, other} {
			if odd := r.seen.String(); odd != "" {
				t.Errorf("store %d counted %s", i, odd)
			}
		}
	})
}

// The script decides exactly as the model does.
func TestScriptIsDecide(t *testing.T) {
	store := newReplica(t, redistest.Single(t)).WithClock()
	callers := 0
	rapid.Check(t, func(t *rapid.T) {
		callers++
		caller, now, state := strconv.Itoa(callers), int64(1e15), (*storetest.State)(nil)
		rate := rapid.SampledFrom([]float64{0, 0.1, 1, 100.0 / 60, 100, 1e4}).Draw(t, "rate")
		ask := func(name string, most int) int { return rapid.IntRange(0, most).Draw(t, name) }
		for range rapid.IntRange(1, 15).Draw(t, "asks") {
			now += rapid.SampledFrom([]int64{0, 1, 999, 20_000, 250_000, 1_000_000, 4_000_000, -5_000_000}).Draw(t, "later")
			a := callerlimit.Ask{
				Replica: rapid.SampledFrom([]string{"one", "two", "three"}).Draw(t, "replica"), Fleet: 1 + ask("fleet", 4), Known: rapid.Bool().Draw(t, "known"),
				Rate: rate, Burst: 1 + ask("burst", 300), Concurrency: ask("concurrency", 50), Have: ask("have", 50), Held: ask("held", 60), Want: ask("want", 100),
				Back: ask("back", 20), Debt: ask("debt", 20), Slots: ask("slots", 30), Need: ask("need", 60), Resting: rapid.Bool().Draw(t, "resting"),
			}
			var want callerlimit.Answer
			state, want = storetest.Decide(now, state, a)
			got, err := store.AskAt(context.Background(), now, caller, a)
			if err != nil || got != want {
				t.Fatalf("%+v: %+v, %v; want %+v", a, got, err, want)
			}
		}
	})
}

func TestAskIsOneRoundTrip(t *testing.T) {
	server := redistest.Single(t)
	r := newReplica(t, server)
	ask := callerlimit.Ask{Replica: "canary-replica", Fleet: 1, Rate: 5, Burst: 5, Want: 1}
	for i := range 4 {
		if i == 1 { // Redis has learned the script
			server.CLI(t, "CONFIG", "RESETSTAT")
		}
		if _, err := r.Ask(t.Context(), "canary-caller", ask); err != nil {
			t.Fatal(err)
		}
	}
	if byHash, byText := server.ScriptCalls(t); byHash != "calls=3" || byText != "" {
		t.Errorf("EVALSHA %s, EVAL %s", byHash, byText)
	}
}

func TestNamesDoNotStandInRedis(t *testing.T) {
	server := redistest.Single(t)
	r := newReplica(t, server)
	if _, err := r.Ask(t.Context(), "canary-caller", callerlimit.Ask{Replica: "canary-replica", Fleet: 1, Concurrency: 5, Need: 1}); err != nil {
		t.Fatal(err)
	}
	dump := server.Dump(t)
	if len(dump) != 1 {
		t.Errorf("%d keys", len(dump))
	}
	for key, value := range dump {
		for _, canary := range []string{"canary-caller", "canary-replica"} {
			for _, form := range redistest.Disguises(canary) {
				if strings.Contains(key+value, form) {
					t.Errorf("%q in %s = %s", form, key, value)
				}
			}
		}
	}
	server.NoEternalKeys(t)
}

// What others have put under our name counts as nothing, and is told.
func TestForeignValuesCountAsAbsent(t *testing.T) {
	server := redistest.Single(t)
	r := newReplica(t, server)
	key := r.conn.Key("callerlimit", "shop").Field("state")
	for reason, write := range map[string][]string{
		"type":      {"LPUSH", key, "a"},
		"size":      {"SETRANGE", key, "200000", "a"},
		"malformed": {"SET", key, "1 nothing of ours"},
	} {
		server.CLI(t, "DEL", key)
		server.CLI(t, write...)
		got, err := r.Ask(t.Context(), "shop", callerlimit.Ask{Replica: "one", Fleet: 2, Rate: 1, Burst: 8, Have: 1, Held: 2, Want: 5})
		if err != nil || got.Granted != 4 { // each of two keeps 2 of 8
			t.Errorf("%s: %+v, %v", reason, got, err)
		}
		if !strings.Contains(r.seen.String(), reason) {
			t.Errorf("%s is not told: %s", reason, r.seen)
		}
	}
}
