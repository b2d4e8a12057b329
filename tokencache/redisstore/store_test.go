package redisstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
	"iqgateway/tokencache"
	"iqgateway/tokencache/redisstore"
)

func TestWithoutEncryptionKeysThereIsNoStore(t *testing.T) {
	conn, err := redisconn.New(redisconn.Options{Addresses: []string{"127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := redisstore.New(conn, redisstore.Options{}); !errors.Is(err, redisconn.ErrNoKeys) {
		t.Errorf("New: %v, want ErrNoKeys", err)
	}
}

func TestReplicasShareATokenAndItsHistory(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		one, two := newReplica(t, topology, setup{}), newReplica(t, topology, setup{})
		key := storeKey("main")
		if got := two.mustLoad(t, key); got.Generation != 0 || !got.Token.Field.IsZero() {
			t.Fatalf("before anything: %+v", got)
		}
		history := tokencache.History{ReplacedAt: time.Now(), Refusals: []tokencache.Refusal{{ID: "r1", At: time.Now()}}}
		generation := one.granted(t, key, "shared", history)

		got := two.mustLoad(t, key)
		if got.Generation != generation || got.Token.Field.Reveal() != "Bearer shared" || got.Token.Holder != "replica-1" || got.Accepted {
			t.Errorf("generation %d (want %d), field %q, holder %q, accepted %v",
				got.Generation, generation, got.Token.Field.Reveal(), got.Token.Holder, got.Accepted)
		}
		if len(got.History.Refusals) != 1 || got.History.Refusals[0].ID != "r1" {
			t.Errorf("history: %+v", got.History)
		}
		if other := two.mustLoad(t, storeKey("other")); other.Generation != 0 {
			t.Errorf("another credential has it too: %+v", other)
		}
		topology.NoEternalKeys(t)
	})
}

// Two replicas whose wall clocks differ by hours agree on every moment.
func TestTimesAreThoseOfTheReader(t *testing.T) {
	topology := redistest.Single(t)
	ahead := func() time.Time { return time.Now().Add(5 * time.Hour).Round(0) }
	one, two := newReplica(t, topology, setup{}), newReplica(t, topology, setup{now: ahead})
	key := storeKey("main")
	token := aToken("timed")
	failed := time.Now().Add(-time.Minute)
	claim := one.mustClaim(t, key)
	must[uint64](t)(claim.Grant(t.Context(), token, tokencache.History{FailedAt: failed}))
	claim.Release()

	got := two.mustLoad(t, key)
	for _, c := range []struct {
		what      string
		got, want time.Time
	}{
		{"issued", got.Token.Issued, token.Issued},
		{"expires", got.Token.Expires, token.Expires},
		{"failed", got.History.FailedAt, failed},
	} {
		if off := c.got.Sub(c.want.Add(5 * time.Hour)); off.Abs() > 3*time.Second {
			t.Errorf("%s is off by %v", c.what, off)
		}
	}
	if got.Token.Expires.After(token.Expires.Add(5 * time.Hour)) {
		t.Error("the token lives longer for the reader than for the writer")
	}
	if !got.History.ReplacedAt.IsZero() {
		t.Errorf("never became %v", got.History.ReplacedAt)
	}
}

func TestAnExpiredTokenIsGone(t *testing.T) {
	topology := redistest.Single(t)
	one := newReplica(t, topology, setup{})
	key := storeKey("main")
	one.granted(t, key, "old", tokencache.History{})

	claim := one.mustClaim(t, key)
	token := aToken("short")
	token.Expires = time.Now().Add(300 * time.Millisecond)
	must[uint64](t)(claim.Grant(t.Context(), token, tokencache.History{Failures: 2}))
	eventually(t, "the token is gone", func() bool { return one.mustLoad(t, key).Generation == 0 })

	token.Expires = time.Now().Add(-time.Minute)
	generation := must[uint64](t)(claim.Grant(t.Context(), token, tokencache.History{Failures: 3}))
	if got := one.mustLoad(t, key); got.Generation != 0 || got.History.Failures != 3 || generation == 0 {
		t.Errorf("an expired token: %+v", got)
	}
}

func TestAcceptedCountsForItsGenerationOnly(t *testing.T) {
	topology := redistest.Single(t)
	one, two := newReplica(t, topology, setup{}), newReplica(t, topology, setup{})
	key := storeKey("main")
	first := one.granted(t, key, "a", tokencache.History{})
	second := one.granted(t, key, "b", tokencache.History{})
	for _, generation := range []uint64{0, first, second + 1, 1 << 63} {
		if err := two.Accepted(t.Context(), key, generation); err != nil {
			t.Fatal(err)
		}
		if one.mustLoad(t, key).Accepted {
			t.Fatalf("Accepted(%d) counts for %d", generation, second)
		}
	}
	if err := two.Accepted(t.Context(), key, second); err != nil {
		t.Fatal(err)
	}
	if !one.mustLoad(t, key).Accepted {
		t.Error("not accepted")
	}
	one.granted(t, key, "c", tokencache.History{})
	if one.mustLoad(t, key).Accepted {
		t.Error("the next token inherited it")
	}
}

func TestForget(t *testing.T) {
	topology := redistest.Single(t)
	one := newReplica(t, topology, setup{})
	for _, c := range []struct {
		what           tokencache.Forgotten
		token, history bool // that stay
	}{
		{tokencache.ForgetToken, false, true},
		{tokencache.ForgetHistory, true, false},
		{tokencache.ForgetToken | tokencache.ForgetHistory, false, false},
		{0, true, true},
	} {
		key := storeKey(fmt.Sprint("forget ", c.what))
		one.granted(t, key, "a", tokencache.History{Failures: 2})
		if err := one.Forget(t.Context(), key, c.what); err != nil {
			t.Fatal(err)
		}
		got := one.mustLoad(t, key)
		if (got.Generation != 0) != c.token || (got.History.Failures != 0) != c.history {
			t.Errorf("Forget(%d) left %+v", c.what, got)
		}
		if lately := time.Since(got.Forgiven) < time.Minute; lately == c.history {
			t.Errorf("Forget(%d) forgave at %v", c.what, got.Forgiven)
		}
	}
	topology.NoEternalKeys(t)
}

func TestTooBigAValueIsNotShared(t *testing.T) {
	one := newReplica(t, redistest.Single(t), setup{})
	key := storeKey("main")
	claim := one.mustClaim(t, key)
	big := aToken(string(make([]byte, 200_000)))
	if _, err := claim.Grant(t.Context(), big, tokencache.History{}); err == nil || errors.Is(err, tokencache.ErrClaimLost) {
		t.Errorf("Grant of 200 kB: %v", err)
	}
	must[uint64](t)(claim.Grant(t.Context(), aToken("small"), tokencache.History{}))
}
