package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"iqgateway/internal/fleet"
	"iqgateway/internal/fleet/redisstore"
	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
	"iqgateway/internal/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	suite(t, func(*testing.T) (one, other fleet.Store) {
		s := fleet.NewMemory()
		return s, s
	})
}

func TestRedis(t *testing.T) {
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		suite(t, func(t *testing.T) (one, other fleet.Store) {
			topology.FlushAll(t)
			topology.ScriptFlush(t)
			t.Cleanup(func() { topology.NoEternalKeys(t) })
			return redisstore.New(connect(t, topology, nil)), redisstore.New(connect(t, topology, nil))
		})
	})
}

// connect is one replica's connection; edit may change its options.
func connect(t *testing.T, topology redistest.Topology, edit func(*redisconn.Options)) *redisconn.Conn {
	t.Helper()
	ring, err := redisconn.NewKeyring([]secret.Text{secret.New(strings.Repeat("k", 32))})
	if err != nil {
		t.Fatal(err)
	}
	o := redisconn.Options{
		Addresses: topology.Addresses(), MasterName: topology.MasterName(), Timeout: time.Second,
		Keys: ring, NameKey: secret.New(strings.Repeat("n", 32)),
	}
	if edit != nil {
		edit(&o)
	}
	c, err := redisconn.New(o)
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

// raw runs commands on the store's keys as somebody else could.
func raw(t *testing.T, c *redisconn.Conn, f func(ctx context.Context, r redis.UniversalClient, commands string) error) {
	t.Helper()
	err := c.Call(t.Context(), "test", func(ctx context.Context, r redis.UniversalClient) error {
		return f(ctx, r, c.Key("fleet").Field("commands"))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRedisHoldsNothingReadable(t *testing.T) {
	server := redistest.Single(t)
	s := redisstore.New(connect(t, server, nil))
	beat(t, s, fleet.Beat{Member: fleet.Member{Replica: "q7x", Version: "1.0"}})
	if _, err := s.Append(t.Context(), fleet.Command{From: "q7x", Kind: "token.retry", Payload: []byte("canary-credential")}); err != nil {
		t.Fatal(err)
	}
	dump := server.Dump(t)
	if len(dump) != 4 {
		t.Errorf("%d keys", len(dump))
	}
	for key, value := range dump {
		for _, word := range []string{"canary", "token", "retry"} {
			if strings.Contains(key+value, word) {
				t.Errorf("%q in %s = %s", word, key, value)
			}
		}
	}
	server.NoEternalKeys(t)
}

// Whoever can write to Redis can make no replica do anything: not by changing
// a command, nor by giving it another place, nor by writing one.
func TestForeignCommandsAreNotExecuted(t *testing.T) {
	place := func(value string) (id, sealed string) {
		id, sealed, _ = strings.Cut(value, " ")
		return id, sealed
	}
	tests := map[string]func(first, second string) (string, string){
		"flipped bit": func(first, second string) (string, string) {
			b := []byte(first)
			b[len(b)-3] ^= 1
			return string(b), second
		},
		"exchanged": func(first, second string) (string, string) {
			id1, sealed1 := place(first)
			id2, sealed2 := place(second)
			return id1 + " " + sealed2, id2 + " " + sealed1
		},
		"repeated": func(first, second string) (string, string) {
			_, sealed := place(first)
			id, _ := place(second)
			return first, id + " " + sealed
		},
		"written": func(first, second string) (string, string) {
			id, _ := place(second)
			return first, id + ` {"from":"x","kind":"do","payload":""}`
		},
	}
	bad := map[string][2]bool{"flipped bit": {true, false}, "exchanged": {true, true}, "repeated": {false, true}, "written": {false, true}}
	server := redistest.Single(t)
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			server.FlushAll(t)
			var rejected atomic.Int64
			conn := connect(t, server, func(o *redisconn.Options) {
				o.Hooks.Rejected = func(string, redisconn.RejectReason) { rejected.Add(1) }
			})
			s := redisstore.New(conn)
			member := fleet.Member{Replica: "a"}
			member.Started = beat(t, s, fleet.Beat{Member: member}).Started
			add(t, s, "1")
			add(t, s, "2")
			raw(t, conn, func(ctx context.Context, r redis.UniversalClient, commands string) error {
				old, err := r.ZRangeWithScores(ctx, commands, 0, -1).Result()
				if err != nil {
					return err
				}
				first, second := change(old[0].Member.(string), old[1].Member.(string))
				if err := r.Del(ctx, commands).Err(); err != nil {
					return err
				}
				return r.ZAdd(ctx, commands, redis.Z{Score: old[0].Score, Member: first}, redis.Z{Score: old[1].Score, Member: second}).Err()
			})
			got := beat(t, s, fleet.Beat{Member: member, Want: true}).Commands
			if len(got) != 2 {
				t.Fatalf("%d commands", len(got))
			}
			count := int64(0)
			for i, c := range got {
				if (c.Err != nil) != bad[name][i] || c.Err != nil && (c.Kind != "" || c.Payload != nil) {
					t.Errorf("command %d: %+v", i+1, c)
				}
				if c.Err != nil {
					count++
				}
			}
			if rejected.Load() != count {
				t.Errorf("%d counted as rejected, want %d", rejected.Load(), count)
			}
		})
	}
}

// A command planted far ahead moves no replica past those that are to come.
func TestCommandsFromTheFutureAreIgnored(t *testing.T) {
	conn := connect(t, redistest.Single(t), nil)
	s := redisstore.New(conn)
	member := fleet.Member{Replica: "a"}
	member.Started = beat(t, s, fleet.Beat{Member: member}).Started
	raw(t, conn, func(ctx context.Context, r redis.UniversalClient, commands string) error {
		return r.ZAdd(ctx, commands, redis.Z{Score: 9e15, Member: "9000000000000000 x"}, redis.Z{Score: 1e15, Member: "no number"}).Err()
	})
	add(t, s, "1")
	if got := payloads(beat(t, s, fleet.Beat{Member: member, Want: true}).Commands); len(got) != 1 || got[0] != "1" {
		t.Errorf("commands %q", got)
	}
}

func TestWithoutKeysOnlyMembersAreShared(t *testing.T) {
	server := redistest.Single(t)
	s := redisstore.New(connect(t, server, func(o *redisconn.Options) { o.Keys = nil }))
	beat(t, s, fleet.Beat{Member: fleet.Member{Replica: "a"}})
	if id, err := s.Append(t.Context(), fleet.Command{Kind: "do"}); !errors.Is(err, redisconn.ErrNoKeys) || id != 0 {
		t.Errorf("%d, %v", id, err)
	}
	if got := list(t, s); len(got) != 1 {
		t.Errorf("members %+v", got)
	}
}

func TestKeysOfAnotherTypeHeal(t *testing.T) {
	server := redistest.Single(t)
	conn := connect(t, server, nil)
	s := redisstore.New(conn)
	for _, field := range []string{"seen", "members", "commands", "head"} {
		raw(t, conn, func(ctx context.Context, r redis.UniversalClient, _ string) error {
			key := conn.Key("fleet").Field(field)
			if err := r.Del(ctx, key).Err(); err != nil {
				return err
			}
			return r.SetArgs(ctx, key, "foreign", redis.SetArgs{}).Err()
		})
		if _, err := s.Beat(t.Context(), fleet.Beat{Member: fleet.Member{Replica: "a"}, Want: true}); err == nil {
			t.Errorf("%s: no error the first time", field)
		}
		beat(t, s, fleet.Beat{Member: fleet.Member{Replica: "a"}, Want: true})
		if got := list(t, s); len(got) != 1 {
			t.Errorf("%s: members %+v", field, got)
		}
	}
	server.NoEternalKeys(t)
}

// What Redis forgets (a flush, a start without persistence) costs a beat and
// leads to nothing being executed twice or skipped later.
func TestFlushLosesNothingLater(t *testing.T) {
	server := redistest.Single(t)
	s := redisstore.New(connect(t, server, nil))
	member := fleet.Member{Replica: "a"}
	member.Started = beat(t, s, fleet.Beat{Member: member}).Started
	member.Done = add(t, s, "1")
	server.FlushAll(t)
	if news := beat(t, s, fleet.Beat{Member: member, Want: true}); len(news.Commands) != 0 || news.Missed || news.Members != 1 {
		t.Errorf("after the flush: %+v", news)
	}
	if id := add(t, s, "2"); id <= member.Done {
		t.Errorf("id %d after %d", id, member.Done)
	}
	if got := payloads(beat(t, s, fleet.Beat{Member: member, Want: true}).Commands); len(got) != 1 || got[0] != "2" {
		t.Errorf("commands %q", got)
	}
}

// A replica acts and answers at once while Redis is frozen or gone.
func TestSendWhileRedisIsAway(t *testing.T) {
	server := redistest.Single(t)
	f := fleet.New(fleet.Options{
		Replica: "a", Store: redisstore.New(connect(t, server, func(o *redisconn.Options) { o.Timeout = 50 * time.Millisecond })),
		Handle: map[string]fleet.Handler{"do": func(context.Context, []byte) error { return nil }},
	})
	for _, name := range []string{"frozen", "gone"} {
		if name == "frozen" {
			server.Freeze()
		} else {
			server.Thaw()
			server.Stop()
		}
		began := time.Now()
		result, err := f.Send(t.Context(), "do", nil)
		if err != nil || result.Followed != 1 || !result.Alone || result.Reason == "" {
			t.Errorf("%s: %+v, %v", name, result, err)
		}
		if d := time.Since(began); d > time.Second {
			t.Errorf("%s: it took %v", name, d)
		}
	}
}

func BenchmarkBeat(b *testing.B) {
	server := redistest.Single(b)
	ring, err := redisconn.NewKeyring([]secret.Text{secret.New(strings.Repeat("k", 32))})
	if err != nil {
		b.Fatal(err)
	}
	conn, err := redisconn.New(redisconn.Options{Addresses: server.Addresses(), Timeout: time.Second, Keys: ring, NameKey: secret.New(strings.Repeat("n", 32))})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.Connect(b.Context()); err != nil {
		b.Fatal(err)
	}
	s := redisstore.New(conn)
	for b.Loop() {
		if _, err := s.Beat(b.Context(), fleet.Beat{Member: fleet.Member{Replica: "a"}, Want: true}); err != nil {
			b.Fatal(err)
		}
	}
}

// A command sealed with a key that has not come yet is worth another look; one
// that was changed is not.
func TestOnlyAMissingKeyMayComeLater(t *testing.T) {
	server := redistest.Single(t)
	sender := redisstore.New(connect(t, server, nil))
	ring, err := redisconn.NewKeyring([]secret.Text{secret.New(strings.Repeat("o", 32))})
	if err != nil {
		t.Fatal(err)
	}
	conn := connect(t, server, func(o *redisconn.Options) { o.Keys = ring })
	member := fleet.Member{Replica: "a"}
	member.Started = beat(t, redisstore.New(conn), fleet.Beat{Member: member}).Started
	id := add(t, sender, "1")
	for later, s := range map[bool]*redisstore.Store{true: redisstore.New(conn), false: sender} {
		got := beat(t, s, fleet.Beat{Member: member, Want: true}).Commands
		if len(got) != 1 || got[0].Later != later || (got[0].Err != nil) != later {
			t.Errorf("%+v, want later %v", got, later)
		}
	}
	raw(t, conn, func(ctx context.Context, r redis.UniversalClient, commands string) error {
		return r.ZAdd(ctx, commands, redis.Z{Score: float64(id + 1), Member: fmt.Sprint(id+1) + " x"}).Err()
	})
	if got := beat(t, sender, fleet.Beat{Member: member, Want: true}).Commands; len(got) != 2 || got[1].Err == nil || got[1].Later {
		t.Errorf("a command that was never sealed: %+v", got)
	}
}
