package redisstore_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/certs/redisstore"
	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
)

func TestNoStoreWithoutKeys(t *testing.T) {
	t.Parallel()
	conn := redistest.Connect(t, redistest.Single(t), redisconn.Options{})
	if _, err := redisstore.New(conn, redisstore.Options{}); !errors.Is(err, redisconn.ErrNoKeys) {
		t.Errorf("%v, want that keys are missing", err)
	}
}

func TestNothingReadableLiesInRedis(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		r := newReplica(t, topology, setup{})
		r.put(t, "certificates/canary-ca/canary.domain.test/canary.domain.test.key", "-----BEGIN EC PRIVATE KEY-----canary-secret")
		if err := r.Lock(t.Context(), "issue_cert_canary.domain.test"); err != nil {
			t.Fatal(err)
		}
		keys := someTickets(time.Now(), 'q')
		if err := r.ReplaceTickets(t.Context(), 0, keys); err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		dump := topology.Dump(t)
		for name, text := range dump {
			all.WriteString(name + "\n" + text + "\n")
		}
		if len(dump) != 4 {
			t.Errorf("%d keys, want a file, the index, a lock and the tickets", len(dump))
		}
		for _, canary := range []string{"canary-ca", "canary.domain.test", "PRIVATE KEY", "canary-secret", string(keys[0].Key[:])} {
			for _, form := range redistest.Disguises(canary) {
				if strings.Contains(all.String(), form) {
					t.Errorf("%q can be read as %q", canary, form)
				}
			}
		}
		topology.NoEternalKeys(t)
	})
}

// A certificate, its key and what is known of it end together, whichever is
// written last; an account lives longer than any of them.
func TestTimesToLive(t *testing.T) {
	t.Parallel()
	server := redistest.Single(t)
	r, day := newReplica(t, server, setup{}), 24*time.Hour
	stem := "certificates/ca/gw.test/gw.test"
	r.put(t, stem+".key", "key")
	r.put(t, stem+".crt", certificate(t, time.Now().Add(90*day)))
	r.put(t, stem+".json", "{}")
	lives := map[int]int{}
	client := redistest.Client(t, server)
	count := func() {
		clear(lives)
		names, err := client.Keys(t.Context(), "*:file:*").Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			left := client.PTTL(t.Context(), name).Val()
			lives[int((left+day/2)/day)]++
		}
	}
	if count(); len(lives) != 1 || lives[120] != 3 {
		t.Errorf("lives in days: %v, want three of 120", lives)
	}
	r.put(t, stem+".key", "next key") // a renewal begins
	r.put(t, stem+".crt", certificate(t, time.Now().Add(10*day)))
	r.put(t, "acme/ca/users/a@gw.test/a.key", "account")
	if count(); len(lives) != 2 || lives[40] != 3 || lives[400] != 1 {
		t.Errorf("lives in days: %v, want three of 40 and one of 400", lives)
	}
}

// While Redis is away nothing looks absent: the library would order anew what is
// only out of reach.
func TestAwayIsNotAbsent(t *testing.T) {
	t.Parallel()
	server := redistest.Single(t)
	r := newReplica(t, server, setup{timeout: 200 * time.Millisecond})
	r.put(t, "certificates/ca/gw.test/gw.test.crt", "kept")
	server.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, loadErr := r.Load(ctx, "certificates/ca/gw.test/gw.test.crt")
	_, statErr := r.Stat(ctx, "certificates/ca/gw.test/gw.test.crt")
	_, listErr := r.List(ctx, "certificates", true)
	_, ticketErr := r.LoadTickets(ctx)
	for what, err := range map[string]error{"Load": loadErr, "Stat": statErr, "List": listErr, "LoadTickets": ticketErr} {
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if !r.Exists(ctx, "certificates/ca/gw.test/gw.test.crt") {
		t.Error("what cannot be looked up counts as absent")
	}
	server.Thaw()
	redistest.Eventually(t, "the value is there again", func() bool {
		got, err := r.Load(t.Context(), "certificates/ca/gw.test/gw.test.crt")
		return err == nil && string(got) == "kept"
	})
}

// A certificate that was just issued outlives a moment without Redis.
func TestStoreWaitsForRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Single(t)
	r := newReplica(t, server, setup{timeout: 200 * time.Millisecond})
	redistest.Eventually(t, "a value is stored although Redis was away", func() bool {
		server.Freeze()
		stored := make(chan error, 1)
		go func() { stored <- r.Store(t.Context(), "certificates/a.json", []byte("issued")) }()
		redistest.Eventually(t, "Redis is found to be away", func() bool { return !r.conn.Status().Up })
		server.Thaw()
		return <-stored == nil // else the machine was too busy: once more
	})
	r.wantValue(t, "certificates/a.json", "issued")
}

// A value sealed with the next key is no absence while the key is on its way;
// one whose key is lost is, after a while.
func TestUnknownKeyIsAnErrorAtFirst(t *testing.T) {
	t.Parallel()
	server := redistest.Single(t)
	var ahead atomic.Int64
	newer := newReplica(t, server, setup{key: 'x'})
	older := newReplica(t, server, setup{now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
	newer.put(t, "certificates/a.key", "value")
	for _, tt := range []struct {
		after  time.Duration
		absent bool
	}{{0, false}, {4 * time.Minute, false}, {6 * time.Minute, true}} {
		ahead.Store(int64(tt.after))
		if _, err := older.Load(t.Context(), "certificates/a.key"); err == nil || errors.Is(err, fs.ErrNotExist) != tt.absent {
			t.Errorf("after %v: %v, absent %t", tt.after, err, tt.absent)
		}
	}
	older.put(t, "certificates/a.key", "anew")
	older.wantValue(t, "certificates/a.key", "anew")
}

// Whatever else lies under our names counts as absent, and is replaced.
func TestForeignValues(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		r, client := newReplica(t, topology, setup{}), redistest.Client(t, topology)
		base := r.conn.Key("certs")
		name := func(key string) string { return base.Field("file:" + r.conn.Hide("certs", key)) }
		r.put(t, "a", "of a")
		foreign := map[string]func(key string) error{
			"a text": func(key string) error { return client.Set(t.Context(), name(key), "text", 0).Err() },
			"of another name": func(key string) error {
				return client.Set(t.Context(), name(key), client.Get(t.Context(), name("a")).Val(), 0).Err()
			},
			"a list": func(key string) error { return client.RPush(t.Context(), name(key), "x").Err() },
			"a lock is a set": func(key string) error {
				return client.SAdd(t.Context(), base.Field("lock:"+r.conn.Hide("certs", key)), "x").Err()
			},
			"a lock has no end": func(key string) error {
				return client.Set(t.Context(), base.Field("lock:"+r.conn.Hide("certs", key)), "x", 0).Err()
			},
			"the index is a set": func(string) error {
				client.Del(t.Context(), base.Field("index"))
				return client.SAdd(t.Context(), base.Field("index"), "x").Err()
			},
		}
		for key, put := range foreign {
			if err := put(key); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Load(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v, want absence", key, err)
			}
			if got, err := r.TryLock(t.Context(), key); err != nil || !got {
				t.Errorf("%s: locked %t, %v", key, got, err)
			}
			r.put(t, key, "mine")
			r.wantValue(t, key, "mine")
			if got, err := r.List(t.Context(), "", true); err != nil || len(got) == 0 {
				t.Errorf("%s: %v, %v", key, got, err)
			}
		}
		topology.NoEternalKeys(t)
	})
}

func TestTooLargeIsNotStored(t *testing.T) {
	t.Parallel()
	r := newReplica(t, redistest.Single(t), setup{})
	if err := r.Store(t.Context(), "a", make([]byte, 1<<20)); err == nil || !strings.Contains(err.Error(), "is more than") {
		t.Errorf("%v, want a refusal", err)
	}
}
