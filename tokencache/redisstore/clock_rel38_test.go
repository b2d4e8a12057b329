package redisstore_test

import (
	"testing"
	"time"

	"iqgateway/internal/clocktest"
	"iqgateway/internal/redistest"
	"iqgateway/tokencache"
)

// REL-38: replicas whose clocks are twenty minutes apart agree for how long a
// token lives, and a step of a wall clock meanwhile changes nothing of it.
func TestREL38SharedTokensLiveByRedisClock(t *testing.T) {
	topology := redistest.Single(t)
	early, late := clocktest.New(), clocktest.New()
	early.Step(-10 * time.Minute)
	late.Step(10 * time.Minute)
	one, two := newReplica(t, topology, setup{now: early.Now}), newReplica(t, topology, setup{now: late.Now})
	key, token := storeKey("skewed"), aToken("skewed")
	token.Issued = early.Now()
	token.Expires = token.Issued.Add(time.Hour)
	claim := one.mustClaim(t, key)
	must[uint64](t)(claim.Grant(t.Context(), token, tokencache.History{}))
	claim.Release()
	for name, jump := range clocktest.Jumps() {
		late.Step(jump)
		got := two.mustLoad(t, key)
		if left := got.Token.Expires.Sub(late.Now()); left > time.Hour || left < 50*time.Minute {
			t.Errorf("%s: the token lives for %s, granted was an hour", name, left)
		}
		late.Step(-jump)
	}
}
