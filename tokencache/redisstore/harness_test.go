package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
	"iqgateway/internal/secret"
	"iqgateway/tokencache"
	"iqgateway/tokencache/redisstore"
)

// replica is one process of a fleet: a connection and a store of its own.
type replica struct {
	*redisstore.Store
	conn *redisconn.Conn
	ring *redisconn.Keyring
	seen *redistest.Tally
}

// setup is what tests vary of a replica.
type setup struct {
	timeout time.Duration // 0 = generous: the machine may be busy
	lockTTL time.Duration
	now     func() time.Time
	prefix  string
}

func newReplica(t testing.TB, topology redistest.Topology, o setup) *replica {
	t.Helper()
	ring, err := redisconn.NewKeyring([]secret.Text{redistest.Key('k')})
	if err != nil {
		t.Fatal(err)
	}
	seen := &redistest.Tally{}
	conn := redistest.Connect(t, topology, redisconn.Options{
		KeyPrefix: o.prefix, Timeout: o.timeout, Keys: ring,
		Hooks: redisconn.Hooks{Rejected: func(kind string, reason redisconn.RejectReason) {
			seen.Add(kind, string(reason))
		}},
	})
	store, err := redisstore.New(conn, redisstore.Options{
		LockTTL: o.lockTTL, Now: o.now,
		Hooks: redisstore.Hooks{
			Discarded: func(field, reason string) { seen.Add(field, reason) },
			Lost:      func() { seen.Add("lost") },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return &replica{Store: store, conn: conn, ring: ring, seen: seen}
}

// name is the Redis key of one field of the state.
func (r *replica) name(key tokencache.StoreKey, field string) string {
	return r.conn.Key("token", key.Environment, key.Credential, fmt.Sprintf("%x", key.Fingerprint)).Field(field)
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func storeKey(credential string) tokencache.StoreKey {
	return tokencache.StoreKey{Environment: "production", Credential: credential, Fingerprint: [32]byte{1, 2, 3}}
}

func aToken(text string) tokencache.SharedToken {
	now := time.Now()
	return tokencache.SharedToken{
		Field: secret.New("Bearer " + text), Refresh: secret.New("refresh-" + text),
		Issued: now, Expires: now.Add(12 * time.Hour), Holder: "replica-1",
	}
}

// mustClaim claims a key that nobody holds.
func (r *replica) mustClaim(t testing.TB, key tokencache.StoreKey) tokencache.Claim {
	t.Helper()
	claim, _, err := r.Claim(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if claim == nil {
		t.Fatal("somebody else holds the claim")
	}
	t.Cleanup(claim.Release)
	return claim
}

// granted puts a token there and returns its generation.
func (r *replica) granted(t testing.TB, key tokencache.StoreKey, text string, h tokencache.History) uint64 {
	t.Helper()
	claim := r.mustClaim(t, key)
	generation, err := claim.Grant(t.Context(), aToken(text), h)
	if err != nil {
		t.Fatal(err)
	}
	claim.Release()
	return generation
}

func (r *replica) mustLoad(t testing.TB, key tokencache.StoreKey) tokencache.Shared {
	t.Helper()
	shared, err := r.Load(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return shared
}
