package redisstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
	"iqgateway/internal/secret"
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

func TestALockTooShortToBeKeptAliveIsRefused(t *testing.T) {
	ring := must[*redisconn.Keyring](t)(redisconn.NewKeyring([]secret.Text{redistest.Key('k')}))
	conn := must[*redisconn.Conn](t)(redisconn.New(redisconn.Options{Addresses: []string{"127.0.0.1:1"}, Keys: ring}))
	defer func() { _ = conn.Close() }()
	for _, ttl := range []time.Duration{-1, 1, 99 * time.Millisecond} {
		if _, err := redisstore.New(conn, redisstore.Options{LockTTL: ttl}); err == nil {
			t.Errorf("a LockTTL of %v is taken", ttl)
		}
	}
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
	redistest.Eventually(t, "the token is gone", func() bool { return one.mustLoad(t, key).Generation == 0 })

	token.Expires = time.Now().Add(-time.Minute)
	generation := must[uint64](t)(claim.Grant(t.Context(), token, tokencache.History{Failures: 3}))
	if got := one.mustLoad(t, key); got.Generation != 0 || got.History.Failures != 3 || generation == 0 {
		t.Errorf("an expired token: %+v", got)
	}
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

// An operator's word is from a server whose clock was ahead of that of the one
// that has taken over. What is refused afterwards is not forgiven by it.
func TestForgivenOnAClockAhead(t *testing.T) {
	topology := redistest.Single(t)
	r := newReplica(t, topology, setup{})
	key := storeKey("main")
	if err := r.Forget(t.Context(), key, tokencache.ForgetHistory); err != nil {
		t.Fatal(err)
	}
	ahead := time.Now().Add(30 * time.Second).UnixMilli()
	if err := redistest.Client(t, topology).HSet(t.Context(), r.name(key, "state"), "forgiven", ahead).Err(); err != nil {
		t.Fatal(err)
	}
	first := r.mustLoad(t, key).Forgiven
	if first.IsZero() || time.Until(first) > time.Second {
		t.Errorf("forgiven until %s from now", time.Until(first))
	}
	for range 3 {
		if again := r.mustLoad(t, key).Forgiven; again.Sub(first) > time.Second {
			t.Errorf("what is forgiven grows by %s", again.Sub(first))
		}
	}
	if stored := must[string](t)(redistest.Client(t, topology).HGet(t.Context(), r.name(key, "state"), "forgiven").Result()); stored == fmt.Sprint(ahead) {
		t.Error("the moment is still ahead")
	}
	topology.NoEternalKeys(t)
}
