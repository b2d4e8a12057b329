package redisstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"iqgateway/certs/redisstore"
	"iqgateway/internal/redistest"
)

const aLock = "issue_cert_gw.test"

// brief locks let tests wait for their end.
func brief() setup { return setup{lockTTL: 600 * time.Millisecond} }

func (r *replica) lockName(name string) string {
	return r.conn.Key("certs").Field("lock:" + r.conn.Hide("certs", name))
}

func (r *replica) mustLock(t testing.TB, name string) {
	t.Helper()
	if err := r.Lock(t.Context(), name); err != nil {
		t.Fatal(err)
	}
}

// A lock lasts as long as its holder, whatever its time to live.
func TestLockIsKeptAlive(t *testing.T) {
	t.Parallel()
	server := redistest.Single(t)
	one, two := newReplica(t, server, brief()), newReplica(t, server, brief())
	one.mustLock(t, aLock)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // three times as long
	defer cancel()
	if err := two.Lock(ctx, aLock); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the other replica: %v, want that it waits in vain", err)
	}
	if err := one.Unlock(t.Context(), aLock); err != nil {
		t.Error(err)
	}
	two.mustLock(t, aLock)
}

// A holder that is gone blocks nobody for longer than the time to live.
func TestLockOfTheDeadEnds(t *testing.T) {
	t.Parallel()
	server := redistest.Single(t)
	r := newReplica(t, server, setup{})
	if err := redistest.Client(t, server).Set(t.Context(), r.lockName(aLock), "somebody-who-is-gone", time.Second).Err(); err != nil {
		t.Fatal(err)
	}
	r.mustLock(t, aLock)
}

// Only who holds a lock gives it back: not one whose time had run out.
func TestUnlockOfALostLock(t *testing.T) {
	t.Parallel()
	server := redistest.Single(t)
	r, client := newReplica(t, server, setup{lockTTL: time.Hour}), redistest.Client(t, server)
	r.mustLock(t, aLock)
	if err := client.Set(t.Context(), r.lockName(aLock), "another", time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	if err := r.Unlock(t.Context(), aLock); err != nil {
		t.Error(err)
	}
	if got := client.Get(t.Context(), r.lockName(aLock)).Val(); got != "another" {
		t.Errorf("the lock of another holds %q", got)
	}
}

// A Redis that forgets everything gives nobody else the lock of one who works.
func TestLockSurvivesALoss(t *testing.T) {
	t.Parallel()
	server := redistest.Single(t)
	r, client := newReplica(t, server, brief()), redistest.Client(t, server)
	r.mustLock(t, aLock)
	server.FlushAll(t)
	redistest.Eventually(t, "the lock is back", func() bool { return client.Exists(t.Context(), r.lockName(aLock)).Val() == 1 })
}

// An end gives back what is held, so that another replica goes on at once.
func TestCloseGivesLocksBack(t *testing.T) {
	t.Parallel()
	server := redistest.Single(t)
	one, two := newReplica(t, server, setup{lockTTL: time.Hour}), newReplica(t, server, setup{})
	one.mustLock(t, aLock)
	one.Close(t.Context())
	two.mustLock(t, aLock)
	if err := one.Lock(t.Context(), "another"); !errors.Is(err, redisstore.ErrClosed) {
		t.Errorf("a closed store locks: %v", err)
	}
	if got, err := two.TryLock(t.Context(), "another"); err != nil || !got {
		t.Errorf("what it did not get is locked: %t, %v", got, err)
	}
	if err := one.Unlock(t.Context(), aLock); err != nil {
		t.Error(err)
	}
}

func TestUnlockWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	server := redistest.Single(t)
	r := newReplica(t, server, setup{timeout: 200 * time.Millisecond})
	r.mustLock(t, aLock)
	server.Freeze()
	defer server.Thaw()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := r.Unlock(ctx, aLock); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v: a lock that runs out is released", err)
	}
}
