package tokencache_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

// disturb does something that happens to fleets.
func disturb(t *testing.T, random *rand.Rand, f *fleet, r []*replica) {
	t.Helper()
	one := r[random.IntN(len(r))]
	switch random.IntN(12) {
	case 0:
		one.store.SetAway(true)
	case 1:
		one.store.SetFrozen(true)
	case 2, 3:
		one.store.SetAway(false)
	case 4:
		one.store.AwayAfter(random.IntN(4))
	case 5:
		for _, key := range f.memory.Keys() {
			f.memory.Lose(key)
		}
	case 6:
		f.memory.Flush()
	case 7:
		f.endpoint.answers([]int{0, 0, http.StatusServiceUnavailable}[random.IntN(3)])
	case 8:
		one.cache.Invalidate(t.Context(), "retail")
	case 9:
		one.cache.Retry(t.Context(), "retail")
	case 10:
		f.endpoint.endsAll()
	case 11:
		f.endpoint.takes(time.Duration(random.IntN(5000)) * time.Millisecond)
	}
}

func (a *accounts) endsAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.good)
}

func (a *accounts) takes(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.delay = d
}

// Whatever happens to the store, the endpoint and the tokens: callers get an
// answer in time, and soon after it has ended the fleet shares one token
// again, with one call per expiry.
func TestChaos(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			endpoint := &accounts{delay: time.Second}
			inFleet(t, endpoint, nil, func(t *testing.T, f *fleet, r [3]*replica) {
				ctx, stop := context.WithCancel(t.Context())
				var callers sync.WaitGroup
				for _, one := range r {
					callers.Go(func() { one.cache.Run(ctx) })
					callers.Go(func() { one.callUntil(ctx, t) })
				}
				for range 300 {
					disturb(t, random, f, r[:])
					pass(time.Duration(random.Int64N(int64(20 * time.Second))))
				}
				for _, one := range r {
					one.store.SetAway(false)
				}
				endpoint.answers(0)
				endpoint.takes(time.Second)
				pass(2 * time.Minute)
				r[0].cache.Invalidate(ctx, "retail")
				stop()
				callers.Wait()
				pass(13 * time.Hour)
				for range 2 {
					before := endpoint.count()
					if used, longest := herd(t, 5, r[:]...); len(used) != 1 || endpoint.count() != before+1 || longest > 1100*time.Millisecond {
						t.Errorf("healed, but tokens %v after %d calls and %s", used, endpoint.count()-before, longest)
					}
					pass(13 * time.Hour)
				}
			})
		})
	}
}

// callUntil sends requests until ctx ends. They may fail, but not late and
// not with anything but a problem.
func (r *replica) callUntil(ctx context.Context, t *testing.T) {
	for ctx.Err() == nil {
		since := time.Now()
		_, err := r.send(context.WithoutCancel(ctx))
		if _, ok := errors.AsType[*exchange.Problem](err); err != nil && !ok {
			t.Errorf("%s: %v", r.name, err)
		}
		if took := time.Since(since); took > 25*time.Second {
			t.Errorf("%s: a caller waited %s", r.name, took)
		}
		<-time.After(500 * time.Millisecond)
	}
}
