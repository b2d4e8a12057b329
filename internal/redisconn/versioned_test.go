package redisconn_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
	"iqgateway/internal/secret"
)

// versioned is a place on a real server, with the client that reaches it.
type versioned struct {
	redisconn.Versioned
	conn   *redisconn.Conn
	server *redistest.Server
}

func newVersioned(t *testing.T) versioned {
	t.Helper()
	ring, err := redisconn.NewKeyring([]secret.Text{key(1)})
	if err != nil {
		t.Fatal(err)
	}
	server := redistest.Single(t)
	conn := redistest.Connect(t, server, redisconn.Options{Keys: ring})
	return versioned{conn.Versioned("test", time.Hour, "a part"), conn, server}
}

func (v versioned) read(t *testing.T) (found redisconn.Stored) {
	t.Helper()
	v.call(t, func(ctx context.Context, r redis.UniversalClient) (err error) {
		found, err = v.Read(ctx, r)
		return err
	})
	return found
}

func (v versioned) replace(t *testing.T, read redisconn.Stored, plain string) (done bool) {
	t.Helper()
	v.call(t, func(ctx context.Context, r redis.UniversalClient) (err error) {
		done, err = v.Replace(ctx, r, read, []byte(plain))
		return err
	})
	return done
}

func (v versioned) call(t *testing.T, f func(context.Context, redis.UniversalClient) error) {
	t.Helper()
	if err := v.conn.Call(t.Context(), "test", f); err != nil {
		t.Fatal(err)
	}
}

func (v versioned) want(t *testing.T, plain string) {
	t.Helper()
	if got, err := v.Open(v.read(t)); err != nil || string(got) != plain {
		t.Errorf("%q, %v; want %q", got, err, plain)
	}
}

// Of two that have read the same, the second changes nothing.
func TestVersionedValueIsReplacedOnce(t *testing.T) {
	v := newVersioned(t)
	before := v.read(t)
	if before.Sealed != "" || before.Version != "" {
		t.Errorf("at first: %+v", before)
	}
	if !v.replace(t, before, "first") || v.replace(t, before, "late") {
		t.Error("who was overtaken has written, or nobody")
	}
	v.want(t, "first")
	if before = v.read(t); !v.replace(t, before, "second") {
		t.Error("what was just read is not replaced")
	}
	if after := v.read(t); after.Version <= before.Version || after.Now < before.Now {
		t.Errorf("version %s after %s", after.Version, before.Version)
	}
	v.want(t, "second")
	v.server.NoEternalKeys(t)
}

// Names, version and seal are those that replicas of every version share.
func TestVersionedValueOnTheWire(t *testing.T) {
	v := newVersioned(t)
	name := v.conn.Key("test", "a part")
	sealed, err := v.conn.Seal("test", name.Field("value"), aVersion, []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	v.server.CLI(t, "SET", name.Field("version"), "1773000000000000", "EX", "60")
	v.server.CLI(t, "SET", name.Field("value"), sealed, "EX", "60")
	v.want(t, "plain")
	v.server.CLI(t, "SET", name.Field("version"), "1773000000000001", "EX", "60")
	if got, err := v.Open(v.read(t)); rejection(err) != redisconn.Tampered {
		t.Errorf("%q, %v: it opens for another version", got, err)
	}
}

const aVersion = 1_773_000_000_000_000

// A key of another type counts as absent, and is no obstacle to a change.
func TestVersionedValueOfAnotherType(t *testing.T) {
	for _, field := range []string{"version", "value"} {
		v := newVersioned(t)
		if !v.replace(t, v.read(t), "lost") {
			t.Fatal("not written")
		}
		foreign := v.conn.Key("test", "a part").Field(field)
		v.server.CLI(t, "DEL", foreign)
		v.server.CLI(t, "LPUSH", foreign, "x")
		if got, err := v.Open(v.read(t)); err == nil {
			t.Errorf("%s: %q, %v", field, got, err)
		}
		if !v.replace(t, v.read(t), "new") {
			t.Errorf("%s: not written", field)
		}
		v.want(t, "new")
	}
}
