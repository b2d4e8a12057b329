package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
	"iqgateway/internal/secret"
	"iqgateway/proxy"
	"iqgateway/proxy/redisstore"
)

var aKey = proxy.SessionKey{
	Environment: "production-CANARY", Service: "dataconnect-CANARY", Upstream: "https://CANARY.iqmetrix.net",
	Credential: "retail-CANARY", Account: "account-CANARY",
}

// The acceptance tests of proxy.SessionStore, on every kind of Redis.
func TestStore(t *testing.T) {
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		for name, test := range map[string]func(*testing.T, redistest.Topology){
			"shared": shared, "keys": keysAreApart, "races": racesLoseNothing, "sealed": nothingIsReadable,
			"forgetful": forgottenScriptsAndKeys,
		} {
			topology.FlushAll(t)
			t.Run(name, func(t *testing.T) { test(t, topology) })
		}
	})
}

// What one replica updates, another loads, with times from its own now.
func shared(t *testing.T, topology redistest.Topology) {
	a, b := newReplica(t, topology, ""), newReplica(t, topology, "")
	if got := a.load(t, aKey); len(got.Cookies) != 0 || got.Endpoint.Known {
		t.Errorf("begins with %+v", got)
	}
	want := proxy.SharedSession{
		Cookies: []proxy.SharedCookie{
			{Host: "a", Name: "s", Value: secret.New(`"a b"`), Path: "/x", Secure: true, Left: time.Hour},
			{Host: "b:8443", Name: "t", Value: secret.New("2"), Path: "/"},
			{Host: "b:8443", Name: "gone", Value: secret.New("3"), Path: "/", Left: time.Nanosecond},
		},
		Endpoint: proxy.SharedEndpoint{Known: true, Origin: "https://x.iqmetrix.net", Age: time.Minute},
	}
	a.put(t, aKey, want)
	got := b.load(t, aKey)
	if names(got) != `s="a b" t=2` {
		t.Fatalf("cookies %s", names(got))
	}
	s, u := got.Cookies[0], got.Cookies[1]
	if s.Host != "a" || s.Path != "/x" || !s.Secure || s.Left > time.Hour || s.Left < time.Hour-time.Minute {
		t.Errorf("%+v", s)
	}
	if u.Host != "b:8443" || u.Path != "/" || u.Secure || u.Left != 0 {
		t.Errorf("%+v", u)
	}
	if e := got.Endpoint; !e.Known || e.Origin != want.Endpoint.Origin || e.Age < time.Minute || e.Age > 2*time.Minute {
		t.Errorf("%+v", e)
	}
	result, err := b.Update(t.Context(), aKey, func(s proxy.SharedSession) proxy.SharedSession {
		s.Cookies = s.Cookies[1:]
		return s
	})
	if err != nil || names(result) != "t=2" || names(a.load(t, aKey)) != "t=2" {
		t.Errorf("%s, %v, then %s", names(result), err, names(a.load(t, aKey)))
	}
}

func keysAreApart(t *testing.T, topology redistest.Topology) {
	r, other := newReplica(t, topology, ""), newReplica(t, topology, "other")
	r.put(t, aKey, cookies("1"))
	for i, change := range []func(*proxy.SessionKey){
		func(k *proxy.SessionKey) { k.Environment = "" },
		func(k *proxy.SessionKey) { k.Service = "" },
		func(k *proxy.SessionKey) { k.Upstream = "" },
		func(k *proxy.SessionKey) { k.Credential = "" },
		func(k *proxy.SessionKey) { k.Account = "" },
		func(k *proxy.SessionKey) { k.Credential, k.Account = k.Account, k.Credential },
	} {
		key := aKey
		change(&key)
		if got := r.load(t, key); len(got.Cookies) != 0 {
			t.Errorf("key %d shares the session", i)
		}
	}
	if got := other.load(t, aKey); len(got.Cookies) != 0 {
		t.Error("another prefix shares the session")
	}
}

// Updates of several replicas at once all take effect.
func racesLoseNothing(t *testing.T, topology redistest.Topology) {
	replicas := []*replica{newReplica(t, topology, ""), newReplica(t, topology, ""), newReplica(t, topology, "")}
	var all sync.WaitGroup
	for i, r := range replicas {
		for n := range 10 {
			all.Go(func() {
				add := func(s proxy.SharedSession) proxy.SharedSession {
					s.Cookies = append(s.Cookies, proxy.SharedCookie{Host: "h", Name: fmt.Sprintf("c%d-%d", i, n), Value: secret.New("1"), Path: "/"})
					return s
				}
				_, err := r.Update(t.Context(), aKey, add)
				for errors.Is(err, redisstore.ErrOvertaken) {
					_, err = r.Update(t.Context(), aKey, add)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	if got := replicas[0].load(t, aKey); len(got.Cookies) != 30 {
		t.Errorf("%d of 30 updates took effect", len(got.Cookies))
	}
}

func nothingIsReadable(t *testing.T, topology redistest.Topology) {
	r := newReplica(t, topology, "")
	s := cookies("value-CANARY")
	s.Cookies[0].Name, s.Cookies[0].Host = "name-CANARY", "host-CANARY"
	s.Endpoint = proxy.SharedEndpoint{Known: true, Origin: "https://CANARY.iqmetrix.net"}
	r.put(t, aKey, s)
	topology.NoEternalKeys(t)
	dump := topology.Dump(t)
	if len(dump) != 2 {
		t.Errorf("%d keys", len(dump))
	}
	for name, text := range dump {
		if strings.Contains(text, "CANARY") || strings.Contains(text, "iqmetrix") || !strings.HasPrefix(name, "iqgw:session:{") {
			t.Errorf("%s shows something: %s", name, text)
		}
		var left int64
		_, rest, _ := strings.Cut(text, "\nttl: ")
		if _, err := fmt.Sscan(rest, &left); err != nil || left <= 0 || left > (20*time.Minute).Milliseconds() {
			t.Errorf("%s lives for %d ms (%v)", name, left, err)
		}
	}
}

func forgottenScriptsAndKeys(t *testing.T, topology redistest.Topology) {
	r := newReplica(t, topology, "")
	r.put(t, aKey, cookies("1"))
	topology.ScriptFlush(t)
	if got := names(r.load(t, aKey)); got != "s=1" {
		t.Errorf("%q without scripts", got)
	}
	topology.ScriptFlush(t)
	r.put(t, aKey, cookies("2"))
	topology.FlushAll(t)
	if got := r.load(t, aKey); len(got.Cookies) != 0 {
		t.Errorf("%+v after everything was flushed", got)
	}
	r.put(t, aKey, cookies("3"))
	if got := names(r.load(t, aKey)); got != "s=3" {
		t.Errorf("%q", got)
	}
}

func TestKeysRotate(t *testing.T) {
	server := redistest.Single(t)
	a, b := newReplica(t, server, ""), newReplica(t, server, "")
	a.put(t, aKey, cookies("1"))
	if err := b.ring.Replace([]secret.Text{redistest.Key('2'), redistest.Key('k')}); err != nil {
		t.Fatal(err)
	}
	if got := names(b.load(t, aKey)); got != "s=1" {
		t.Errorf("%q with the new key in front", got)
	}
	b.put(t, aKey, cookies("2"))
	if got := a.load(t, aKey); len(got.Cookies) != 0 || a.count("session unknown_key") != 1 {
		t.Errorf("%+v, told %v", got, a.told)
	}
	if err := a.ring.Replace([]secret.Text{redistest.Key('2')}); err != nil {
		t.Fatal(err)
	}
	if got := names(a.load(t, aKey)); got != "s=2" {
		t.Errorf("%q with the new key alone", got)
	}
}

func TestWithoutKeys(t *testing.T) {
	server := redistest.Single(t)
	conn, err := redisconn.New(redisconn.Options{Addresses: server.Addresses()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := redisstore.New(conn, redisstore.Hooks{})
	_, loadErr := s.Load(t.Context(), aKey)
	_, updateErr := s.Update(t.Context(), aKey, func(proxy.SharedSession) proxy.SharedSession { return cookies("1") })
	if !errors.Is(loadErr, redisconn.ErrNoKeys) || !errors.Is(updateErr, redisconn.ErrNoKeys) || len(server.Dump(t)) != 0 {
		t.Errorf("%v, %v, stored %v", loadErr, updateErr, server.Dump(t))
	}
}

func TestServerAway(t *testing.T) {
	server := redistest.Single(t)
	r := newReplica(t, server, "")
	r.put(t, aKey, cookies("1"))
	server.Kill()
	for range 10 { // until the breaker knows
		_, _ = r.Load(t.Context(), aKey)
	}
	start := time.Now()
	_, err := r.Load(t.Context(), aKey)
	if took := time.Since(start); !errors.Is(err, redisconn.ErrAway) || took > 50*time.Millisecond {
		t.Errorf("after %v: %v", took, err)
	}
	if _, err := r.Update(t.Context(), aKey, func(s proxy.SharedSession) proxy.SharedSession { return s }); !errors.Is(err, redisconn.ErrAway) {
		t.Errorf("update: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Load(ctx, aKey); err == nil {
		t.Error("a cancelled load succeeded")
	}
}
