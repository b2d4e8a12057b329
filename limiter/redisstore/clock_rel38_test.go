package redisstore_test

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"time"

	"iqgateway/internal/clocktest"
	"iqgateway/internal/exchange"
	"iqgateway/internal/redistest"
	"iqgateway/limiter"
)

// REL-38: replicas whose clocks are twenty minutes apart share a quota as others
// do: Redis' clock is the only one that they have in common. A step of the wall
// clock while they run changes nothing.
func TestREL38ReplicasWithSkewedClocks(t *testing.T) {
	t.Parallel()
	server := redistest.Single(t)
	o := newOrigin()
	members := make([]http.RoundTripper, 2)
	clocks := []*clocktest.Clock{clocktest.New(), clocktest.New()}
	began := time.Now()
	for i, c := range clocks {
		c.Step([]time.Duration{-10 * time.Minute, 10 * time.Minute}[i])
		members[i] = skewed(t, newReplica(t, server, redistest.Generous), strconv.Itoa(i), o, func() time.Time {
			return c.Now().Add(time.Since(began))
		})
	}
	ctx := lasting(t, 5*time.Second)
	step := time.AfterFunc(2*time.Second, func() { clocks[0].Step(time.Hour) })
	defer step.Stop()
	saturate(ctx, t, members)()
	sent, refused := o.total()
	if refused > 0 {
		t.Errorf("the upstream refused %d of %d requests", refused, sent)
	}
	if sent < o.limit/2 {
		t.Errorf("only %d requests went out", sent)
	}
}

// skewed is a member by a clock of its own.
func skewed(t *testing.T, r *replica, name string, o *origin, now func() time.Time) http.RoundTripper {
	t.Helper()
	l := limiter.New(limiter.Options{Store: r, Replica: t.Name() + name, Now: now, Fleet: func() int { return 2 }})
	set := must[*limiter.Set](t)(l.Use([]limiter.Bucket{{Key: fleetKey(), Settings: limiter.Settings{
		Enforce: true, MaxWait: [limiter.Classes]time.Duration{time.Minute, time.Minute, time.Minute},
	}}}))
	t.Cleanup(func() {
		set.Release()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := l.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return set.Stage(limiter.StageOptions{Bucket: func(*exchange.Exchange) (limiter.Key, bool) { return fleetKey(), true }})(o)
}
