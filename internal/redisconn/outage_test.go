package redisconn_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
)

const (
	// recovery is promised within two seconds of the return of the server; the rest is
	// for a machine that runs other tests too.
	recovery = 5 * time.Second
	slack    = 60 * time.Millisecond
)

func TestStartWithoutServer(t *testing.T) {
	server := redistest.Single(t)
	server.Stop()
	c := started(t, redisconn.Options{Addresses: server.Addresses()})
	began := time.Now()
	if err := c.Connect(t.Context()); !errors.Is(err, redisconn.ErrAway) {
		t.Errorf("Connect: %v", err)
	}
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Errorf("Connect took %v", took)
	}
	if err := c.Call(t.Context(), "test", nothing); !errors.Is(err, redisconn.ErrAway) {
		t.Errorf("Call: %v", err)
	}
	if got := c.Status(); got.Up || got.Mode != redisconn.ModeAuto || got.LastError == "" {
		t.Errorf("status %+v", got)
	}
	server.Start()
	awaitUp(t, c, recovery)
	if err := c.Call(t.Context(), "test", set(c.Key("k", "a").Field("v"))); err != nil {
		t.Error(err)
	}
}

// changes collects what the hook says.
type changes struct {
	mu  sync.Mutex
	ups []bool
}

func (c *changes) hook(s redisconn.Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ups = append(c.ups, s.Up)
}

func (c *changes) list() []bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]bool(nil), c.ups...)
}

func TestKilledServer(t *testing.T) {
	server := redistest.Single(t)
	var seen changes
	c := started(t, redisconn.Options{Addresses: server.Addresses(), Hooks: redisconn.Hooks{StateChanged: seen.hook}})
	awaitUp(t, c, recovery)
	l := newLoad(t, c, c.Call)
	for round := range 3 {
		killed := time.Now()
		server.Kill()
		await(t, recovery, func() bool { return !c.Status().Up }, func() string { return "still up" })
		lost := time.Now()
		await(t, recovery, func() bool { return len(l.since(lost)) > 50 }, func() string { return "no load" })
		l.bounded(t, killed, 10)
		server.Start()
		back := time.Now()
		t.Logf("round %d: resumed %v after the start", round, l.resumed(t, back, recovery))
	}
	for i, up := range seen.list() {
		if up != (i%2 == 0) {
			t.Fatalf("states %v do not alternate", seen.list())
		}
	}
}

func TestFrozenServer(t *testing.T) {
	server := redistest.Single(t)
	c := started(t, redisconn.Options{Addresses: server.Addresses()})
	awaitUp(t, c, recovery)
	l := newLoad(t, c, c.Call)
	l.resumed(t, time.Now(), recovery)
	for round := range 3 {
		server.Freeze()
		frozen := time.Now()
		await(t, 3*time.Second, func() bool { return len(l.since(frozen)) > loadRate/2 }, func() string { return "no load" })
		l.bounded(t, frozen, 10)
		server.Thaw()
		t.Logf("round %d: resumed %v after the thaw", round, l.resumed(t, time.Now(), recovery))
	}
}

// Callers with less patience than the timeout say nothing about the server;
// still they must not wait for ever anew.
func TestFrozenServerAndImpatientCallers(t *testing.T) {
	server := redistest.Single(t)
	c := started(t, redisconn.Options{Addresses: server.Addresses(), Timeout: 200 * time.Millisecond})
	awaitUp(t, c, recovery)
	server.Freeze()
	call := func(ctx context.Context, op string, f func(context.Context, redis.UniversalClient) error) error {
		ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		return c.Call(ctx, op, f)
	}
	newLoad(t, c, call)
	await(t, recovery, func() bool { return !c.Status().Up }, func() string { return "the breaker never opened" })
	server.Thaw()
	awaitUp(t, c, recovery)
}

func TestCallerWhoLeavesDoesNotCount(t *testing.T) {
	server := redistest.Single(t)
	c := started(t, redisconn.Options{Addresses: server.Addresses(), Timeout: time.Second})
	awaitUp(t, c, recovery)
	wait := func(ctx context.Context, r redis.UniversalClient) error {
		return r.BLPop(ctx, 0, c.Key("k", "none").Field("list")).Err()
	}
	for range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if err := c.Call(ctx, "test.wait", wait); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, redisconn.ErrAway) {
			t.Errorf("own deadline: %v", err)
		}
		cancel()
		ctx, cancel = context.WithCancel(t.Context())
		cancel()
		if err := c.Call(ctx, "test.wait", wait); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
	if !c.Status().Up {
		t.Error("callers who left opened the breaker")
	}
}

func TestDemotedMasterThatStaysConnected(t *testing.T) {
	server, other := redistest.Single(t), redistest.Single(t)
	c := started(t, redisconn.Options{Addresses: server.Addresses()})
	awaitUp(t, c, recovery)
	l := newLoad(t, c, c.Call)
	l.resumed(t, time.Now(), recovery)
	host, port := split(t, other.Address())
	server.CLI(t, "REPLICAOF", host, port)
	demoted := time.Now()
	await(t, recovery, func() bool { return !c.Status().Up }, func() string { return "READONLY does not open the breaker" })
	if took := time.Since(demoted); took > 500*time.Millisecond {
		t.Errorf("noticed after %v", took)
	}
	server.CLI(t, "REPLICAOF", "NO", "ONE")
	t.Logf("resumed %v after the promotion", l.resumed(t, time.Now(), recovery))
}

func TestRefusedCommandsAreNoOutage(t *testing.T) {
	server := redistest.Single(t)
	c := started(t, redisconn.Options{Addresses: server.Addresses()})
	awaitUp(t, c, recovery)
	key := c.Key("k", "a").Field("v")
	if err := c.Call(t.Context(), "test.set", set(key)); err != nil {
		t.Fatal(err)
	}
	failing := redis.NewScript(`return redis.error_reply("s3cret " .. ARGV[1])`)
	own := errors.New("the store's own")
	for range 5 {
		for name, f := range map[string]func(context.Context, redis.UniversalClient) error{
			"WRONGTYPE": func(ctx context.Context, r redis.UniversalClient) error { return r.LPush(ctx, key, "s3cret").Err() },
			"other": func(ctx context.Context, r redis.UniversalClient) error {
				return failing.Run(ctx, r, []string{key}, "s3cret").Err()
			},
			"ERR": func(ctx context.Context, r redis.UniversalClient) error { return r.Do(ctx, "s3cret", key).Err() },
		} {
			err := c.Call(t.Context(), "test.refused", f)
			failed, ok := errors.AsType[*redisconn.Error](err)
			if !ok || string(failed.Reason) != name || errors.Is(err, redisconn.ErrAway) || err.Error() != "redis: test.refused: "+name {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := c.Call(t.Context(), "test.own", func(context.Context, redis.UniversalClient) error { return own }); err != own { //nolint:errorlint // unchanged
			t.Errorf("own error became %v", err)
		}
	}
	server.SetMaxMemory(t, 1, "noeviction")
	for range 5 {
		err := c.Call(t.Context(), "test.full", set(key))
		if failed, ok := errors.AsType[*redisconn.Error](err); !ok || failed.Reason != "OOM" {
			t.Errorf("full: %v", err)
		}
	}
	if !c.Status().Up {
		t.Error("refused commands opened the breaker")
	}
}
