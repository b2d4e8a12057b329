package redisstore_test

import (
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redistest"
	"iqgateway/tokencache"
)

// attacker is somebody who may write to Redis.
type attacker struct {
	t      *testing.T
	client redis.UniversalClient
}

func (a attacker) get(name string) string {
	a.t.Helper()
	return must[string](a.t)(a.client.Get(a.t.Context(), name).Result())
}

func (a attacker) set(name, value string) {
	a.t.Helper()
	if err := a.client.Set(a.t.Context(), name, value, redis.KeepTTL).Err(); err != nil {
		a.t.Fatal(err)
	}
}

// move puts the value of one key under another name, of another slot perhaps.
func (a attacker) move(from, to string) {
	a.t.Helper()
	dump := must[string](a.t)(a.client.Dump(a.t.Context(), from).Result())
	if err := a.client.RestoreReplace(a.t.Context(), to, 0, dump).Err(); err != nil {
		a.t.Fatal(err)
	}
}

// mustMiss loads and wants neither token nor history where wanted, each
// counted.
func mustMiss(t *testing.T, r *replica, key tokencache.StoreKey, kind, reason string) {
	t.Helper()
	before := r.seen.Of(kind, reason)
	got := r.mustLoad(t, key)
	if kind == "token" && (got.Generation != 0 || !got.Token.Field.IsZero()) {
		t.Errorf("a token is served: generation %d", got.Generation)
	}
	if kind == "token-history" && (got.History.Failures != 0 || got.History.Refusals != nil) {
		t.Errorf("a history is served: %+v", got.History)
	}
	if n := r.seen.Of(kind, reason) - before; n != 1 {
		t.Errorf("%s %s counted %d times, want 1", kind, reason, n)
	}
}

func TestMovedChangedAndReplayedValuesAreCountedMisses(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		r := newReplica(t, topology, setup{})
		a := attacker{t, redistest.Client(t, topology)}
		for field, kind := range map[string]string{"token": "token", "history": "token-history"} {
			key, other := storeKey("one-"+field), storeKey("two-"+field)
			history := tokencache.History{Failures: 1}
			r.granted(t, key, "yesterday", history)
			yesterday := a.get(r.name(key, field))
			r.granted(t, key, "today", history)
			r.granted(t, other, "other", history)
			today, others := a.get(r.name(key, field)), a.get(r.name(other, field))

			t.Run(field+" restored", func(t *testing.T) {
				a.set(r.name(key, field), yesterday)
				mustMiss(t, r, key, kind, "tampered")
			})
			t.Run(field+" swapped", func(t *testing.T) {
				a.set(r.name(key, field), others)
				a.set(r.name(other, field), today)
				mustMiss(t, r, key, kind, "tampered")
				mustMiss(t, r, other, kind, "tampered")
			})
			t.Run(field+" flipped", func(t *testing.T) { flipEverywhere(t, r, a, key, field, kind, today) })
			a.set(r.name(key, field), today)
			if got := r.mustLoad(t, key); got.Token.Field.Reveal() != "Bearer today" || got.History.Failures != 1 {
				t.Errorf("the right value is not served: %+v", got)
			}
		}
	})
}

// flipEverywhere flips a bit of each region of a sealed value.
func flipEverywhere(t *testing.T, r *replica, a attacker, key tokencache.StoreKey, field, kind, sealed string) {
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		t.Fatalf("the sealed value has another form: %v", err)
	}
	for name, c := range map[string]struct {
		at     int
		reason string
	}{
		"format": {0, "malformed"}, "key id": {2, "unknown_key"}, "nonce": {6, "tampered"},
		"text": {20, "tampered"}, "tag": {len(raw) - 1, "tampered"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := append([]byte{}, raw...)
			changed[c.at] ^= 1
			a.set(r.name(key, field), base64.RawURLEncoding.EncodeToString(changed))
			mustMiss(t, r, key, kind, c.reason)
		})
	}
}

// Not even all four keys together open elsewhere.
func TestACopyUnderAnotherNameIsACountedMiss(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		one, other := newReplica(t, topology, setup{}), newReplica(t, topology, setup{prefix: "elsewhere"})
		a := attacker{t, redistest.Client(t, topology)}
		key := storeKey("main")
		one.granted(t, key, "mine", tokencache.History{Failures: 1})
		sandbox := key
		sandbox.Environment = "sandbox"
		rotated := key
		rotated.Fingerprint[0]++
		for name, target := range map[string]struct {
			r   *replica
			key tokencache.StoreKey
		}{
			"prefix": {other, key}, "environment": {one, sandbox}, "credential": {one, storeKey("x")}, "fingerprint": {one, rotated},
		} {
			t.Run(name, func(t *testing.T) {
				for _, field := range []string{"state", "token", "history"} {
					a.move(one.name(key, field), target.r.name(target.key, field))
				}
				mustMiss(t, target.r, target.key, "token", "tampered")
				mustMiss(t, target.r, target.key, "token-history", "tampered")
			})
		}
		if got := one.mustLoad(t, key); got.Generation == 0 {
			t.Error("the original is gone")
		}
	})
}

func TestAValueOfOneKindIsNoneOfTheOther(t *testing.T) {
	topology := redistest.Single(t)
	r := newReplica(t, topology, setup{})
	a := attacker{t, redistest.Client(t, topology)}
	key := storeKey("main")
	r.granted(t, key, "mine", tokencache.History{Failures: 1})
	a.set(r.name(key, "token"), a.get(r.name(key, "history")))
	mustMiss(t, r, key, "token", "tampered")
}

// A token that was forgotten does not come back by putting its value back.
func TestAForgottenTokenStaysForgotten(t *testing.T) {
	topology := redistest.Single(t)
	r := newReplica(t, topology, setup{})
	a := attacker{t, redistest.Client(t, topology)}
	key := storeKey("main")
	r.granted(t, key, "mine", tokencache.History{Failures: 1})
	token, history := a.get(r.name(key, "token")), a.get(r.name(key, "history"))
	if err := r.Forget(t.Context(), key, tokencache.ForgetToken|tokencache.ForgetHistory); err != nil {
		t.Fatal(err)
	}
	a.set(r.name(key, "token"), token)
	a.set(r.name(key, "history"), history)
	mustMiss(t, r, key, "token", "tampered")
	mustMiss(t, r, key, "token-history", "tampered")
}

// Numbers in plain sight make nothing open that should not.
func TestOtherNumbersOpenNothing(t *testing.T) {
	topology := redistest.Single(t)
	r := newReplica(t, topology, setup{})
	a := attacker{t, redistest.Client(t, topology)}
	key := storeKey("main")
	generation := r.granted(t, key, "mine", tokencache.History{})
	for _, saved := range []uint64{0, 1, generation - 1, generation + 1} {
		if err := a.client.HSet(t.Context(), r.name(key, "state"), "saved", fmt.Sprint(saved)).Err(); err != nil {
			t.Fatal(err)
		}
		mustMiss(t, r, key, "token", "tampered")
	}
}
