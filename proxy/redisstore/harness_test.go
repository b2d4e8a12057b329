package redisstore_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
	"iqgateway/internal/secret"
	"iqgateway/proxy"
	"iqgateway/proxy/redisstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// replica is one process of a fleet: a connection and a store of its own.
type replica struct {
	*redisstore.Store
	conn *redisconn.Conn
	ring *redisconn.Keyring

	topology func() redistest.Topology // where a test needs it

	mu   sync.Mutex
	told map[string]int
}

func (r *replica) count(what string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.told[what]
}

func (r *replica) tell(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told[what]++
}

func newReplica(t testing.TB, topology redistest.Topology, prefix string) *replica {
	t.Helper()
	ring, err := redisconn.NewKeyring([]secret.Text{redistest.Key('k')})
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{ring: ring, told: map[string]int{}}
	r.conn = redistest.Connect(t, topology, redisconn.Options{
		KeyPrefix: prefix, Keys: ring,
		Hooks: redisconn.Hooks{Rejected: func(kind string, reason redisconn.RejectReason) { r.tell(kind + " " + string(reason)) }},
	})
	r.Store = redisstore.New(r.conn, redisstore.Hooks{Discarded: func(reason redisstore.Discarded) { r.tell(string(reason)) }})
	return r
}

func (r *replica) load(t testing.TB, key proxy.SessionKey) proxy.SharedSession {
	t.Helper()
	s, err := r.Load(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// put replaces what the fleet knows.
func (r *replica) put(t testing.TB, key proxy.SessionKey, s proxy.SharedSession) {
	t.Helper()
	if _, err := r.Update(t.Context(), key, func(proxy.SharedSession) proxy.SharedSession { return s }); err != nil {
		t.Fatal(err)
	}
}

// names lists the cookies of s.
func names(s proxy.SharedSession) string {
	var all []string
	for _, c := range s.Cookies {
		all = append(all, c.Name+"="+c.Value.Reveal())
	}
	return strings.Join(all, " ")
}

func cookies(values ...string) (s proxy.SharedSession) {
	for _, v := range values {
		s.Cookies = append(s.Cookies, proxy.SharedCookie{Host: "dataconnect.iqmetrix.net", Name: "s", Value: secret.New(v), Path: "/"})
	}
	return s
}

// raw runs a command that no store would.
func (r *replica) raw(t testing.TB, f func(ctx context.Context, c redis.UniversalClient) error) {
	t.Helper()
	if err := r.conn.Call(t.Context(), "test", f); err != nil {
		t.Fatal(err)
	}
}

// fields returns the Redis keys of a session, version and value.
func (r *replica) fields(key proxy.SessionKey) (version, value string) {
	k := r.conn.Key("session", key.Environment, key.Service, key.Upstream, key.Credential, key.Account)
	return k.Field("version"), k.Field("value")
}
