package redisstore_test

import (
	"testing"
	"time"

	"iqgateway/cache"
	"iqgateway/cache/redisstore"
	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
	"iqgateway/internal/secret"
)

// replica is one process of a fleet: a connection, a tier and a log of its own.
type replica struct {
	*redisstore.Tier
	*redisstore.Log
	conn *redisconn.Conn
	ring *redisconn.Keyring
	seen *redistest.Tally
}

// setup is what tests vary of a replica.
type setup struct {
	timeout  time.Duration // 0 = generous: the machine may be busy
	maxValue int
	now      func() time.Time
	keep     int // events of the log; 0 = as many as always
	user     string
	password string
}

func (o setup) connect(t testing.TB, topology redistest.Topology, ring *redisconn.Keyring, hooks redisconn.Hooks) *redisconn.Conn {
	t.Helper()
	return redistest.Connect(t, topology, redisconn.Options{
		Timeout: o.timeout, Keys: ring, Hooks: hooks, Username: o.user, Password: secret.New(o.password),
	})
}

func newReplica(t testing.TB, topology redistest.Topology, o setup) *replica {
	t.Helper()
	ring, err := redisconn.NewKeyring([]secret.Text{redistest.Key('k')})
	if err != nil {
		t.Fatal(err)
	}
	seen := &redistest.Tally{}
	conn := o.connect(t, topology, ring, redisconn.Hooks{
		Rejected: func(kind string, reason redisconn.RejectReason) { seen.Add(kind, string(reason)) },
	})
	hooks := redisstore.Hooks{
		Discarded: func(field, reason string) { seen.Add(field, reason) },
		Oversize:  func(int) { seen.Add("oversize") },
	}
	tier, err := redisstore.NewTier(conn, redisstore.TierOptions{MaxValue: o.maxValue, Now: o.now, Hooks: hooks})
	if err != nil {
		t.Fatal(err)
	}
	log := redisstore.NewLog(conn, redisstore.LogOptions{Hooks: hooks})
	if o.keep > 0 {
		log = redisstore.NewShortLog(conn, redisstore.LogOptions{Hooks: hooks}, o.keep)
	}
	return &replica{Tier: tier, Log: log, conn: conn, ring: ring, seen: seen}
}

// name is the Redis key of one field of a name.
func (r *replica) name(name, field string) string { return r.conn.Key("cache", name).Field(field) }

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (r *replica) mustPut(t testing.TB, name, value, token string) {
	t.Helper()
	if err := r.Put(t.Context(), name, []byte(value), time.Minute, token); err != nil {
		t.Fatal(err)
	}
}

func (r *replica) mustGet(t testing.TB, name string) cache.Entry {
	t.Helper()
	return must[cache.Entry](t)(r.Get(t.Context(), name))
}

func (r *replica) mustClaim(t testing.TB, name string) string {
	t.Helper()
	token, ok, err := r.Claim(t.Context(), name, time.Minute)
	if err != nil || !ok || token == "" {
		t.Fatalf("claim: %q, %v, %v", token, ok, err)
	}
	return token
}

// isClaimed reports whether somebody has claimed a name, by asking for it.
func (r *replica) isClaimed(t testing.TB, name string) bool {
	t.Helper()
	return r.mustGet(t, name).Claimed
}

func (r *replica) append(t testing.TB, events ...cache.Event) cache.Position {
	t.Helper()
	return must[cache.Position](t)(r.Append(t.Context(), events))
}

func (r *replica) since(t testing.TB, p cache.Position) cache.News {
	t.Helper()
	return must[cache.News](t)(r.Since(t.Context(), p))
}

// an event of its own service, so that events are told apart.
func anEvent(id uint64) cache.Event {
	return cache.Event{
		ID: id, Kind: cache.DropTree, Service: cache.ServiceName{Environment: "production", Service: "crm"},
		Path: "/v1/companies(1)/customers", Query: "$filter=a",
	}
}

func ids(events []cache.Event) []uint64 {
	var all []uint64
	for _, e := range events {
		all = append(all, e.ID)
	}
	return all
}

func replace(t testing.TB, ring *redisconn.Keyring, keys ...byte) {
	t.Helper()
	var all []secret.Text
	for _, k := range keys {
		all = append(all, redistest.Key(k))
	}
	if err := ring.Replace(all); err != nil {
		t.Fatal(err)
	}
}

func plainLog(conn *redisconn.Conn) *redisstore.Log {
	return redisstore.NewLog(conn, redisstore.LogOptions{})
}
