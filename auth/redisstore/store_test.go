package redisstore_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"iqgateway/auth"
	"iqgateway/auth/redisstore"
	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
	"iqgateway/internal/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func connect(t *testing.T, topology redistest.Topology) *redisconn.Conn {
	t.Helper()
	c, err := redisconn.New(redisconn.Options{
		Addresses: topology.Addresses(), MasterName: topology.MasterName(), Timeout: time.Second,
		NameKey: secret.New(strings.Repeat("n", 32)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	if err := c.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(done); c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return c
}

func id(n int) auth.CredentialID {
	return auth.CredentialID{Caller: "canary-caller", Proof: "key", ID: fmt.Sprintf("canary-%d", n)}
}

// Of two uses the later stays, whoever tells it and when, and Redis learns no
// name.
func TestLaterUseStays(t *testing.T) {
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		topology.FlushAll(t)
		one, other := redisstore.NewUses(connect(t, topology)), redisstore.NewUses(connect(t, topology))
		at := time.Unix(1_800_000_000, 0)
		merge := func(u *redisstore.Uses, used map[auth.CredentialID]time.Time) {
			t.Helper()
			if err := u.Merge(t.Context(), used); err != nil {
				t.Fatal(err)
			}
		}
		many := map[auth.CredentialID]time.Time{}
		for n := range 1200 {
			many[id(n)] = at
		}
		merge(one, many)
		merge(other, map[auth.CredentialID]time.Time{id(1): at.Add(time.Hour), id(2): at.Add(-time.Hour)})
		asked := []auth.CredentialID{id(5000)}
		for n := range 1200 {
			asked = append(asked, id(n))
		}
		last, err := one.Last(t.Context(), asked)
		if err != nil || len(last) != 1200 || !last[id(1)].Equal(at.Add(time.Hour)) || !last[id(2)].Equal(at) || !last[id(1199)].Equal(at) {
			t.Errorf("%d uses, %s, %s, %v", len(last), last[id(1)], last[id(2)], err)
		}
		topology.NoEternalKeys(t)
	})
}

func TestRedisLearnsNoName(t *testing.T) {
	server := redistest.Single(t)
	u := redisstore.NewUses(connect(t, server))
	if err := u.Merge(t.Context(), map[auth.CredentialID]time.Time{id(1): time.Now()}); err != nil {
		t.Fatal(err)
	}
	dump := server.Dump(t)
	for key, value := range dump {
		if strings.Contains(key+value, "canary") {
			t.Errorf("%s = %s", key, value)
		}
	}
	if len(dump) != 1 {
		t.Errorf("%d keys", len(dump))
	}
}
