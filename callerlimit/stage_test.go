package callerlimit_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/callerlimit"
	"iqgateway/callerlimit/storetest"
	"iqgateway/internal/exchange"
)

type broken struct{}

// Ask implements callerlimit.Store.
func (broken) Ask(context.Context, string, callerlimit.Ask) (callerlimit.Answer, error) {
	panic("broken")
}

// newAlone returns a replica that is the only one.
func newAlone(t testing.TB, store callerlimit.Store, limit callerlimit.Limit) *replica {
	t.Helper()
	r := &replica{hold: make(chan struct{})}
	r.limits = callerlimit.New(callerlimit.Options{Store: store, Replica: "one", Random: func() float64 { return 0.5 }})
	r.use(limit)
	return r
}

func (r *replica) close(t testing.TB) {
	t.Helper()
	if err := r.limits.Close(t.Context()); err != nil {
		t.Error(err)
	}
	r.set.Release()
	r.set.Release()
	if left := r.limits.State(); len(left) != 0 {
		t.Errorf("kept %+v", left)
	}
}

// Alone it is a plain token bucket.
func TestRateOfOneReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newAlone(t, nil, callerlimit.Limit{Tokens: 6, Per: time.Minute, Burst: 3})
		codes := func(n int) (list []int) {
			for range n {
				list = append(list, r.call(t, "/"))
			}
			return list
		}
		if got := codes(4); got[2] != http.StatusOK || got[3] != http.StatusTooManyRequests {
			t.Errorf("at once: %v", got)
		}
		pass(9 * time.Second)
		if got := codes(1); got[0] != http.StatusTooManyRequests {
			t.Errorf("after 9 s: %v", got)
		}
		pass(time.Second)
		if got := codes(2); got[0] != http.StatusOK || got[1] != http.StatusTooManyRequests {
			t.Errorf("after 10 s: %v", got)
		}
		pass(time.Hour)
		if got := codes(4); got[2] != http.StatusOK || got[3] != http.StatusTooManyRequests {
			t.Errorf("after an hour: %v", got)
		}
		wantTooFast(t, r.refused)
		r.close(t)
	})
}

func wantTooFast(t *testing.T, refused []*exchange.Problem) {
	t.Helper()
	first := refused[0]
	if first.Type != exchange.CallerTooFast || first.Status() != http.StatusTooManyRequests {
		t.Errorf("refused with %+v", first)
	}
	for _, word := range []string{shop, "6 requests per minute", "3 at once", "rate_limit.rate"} {
		if !strings.Contains(first.Detail, word) {
			t.Errorf("%q does not say %q", first.Detail, word)
		}
	}
	if first.RetryAfter < 10*time.Second || first.RetryAfter > 12*time.Second { // a token, and some jitter
		t.Errorf("come again in %s", first.RetryAfter)
	}
	if again := refused[1].RetryAfter; again < time.Second || again > 2*time.Second {
		t.Errorf("come again in %s, a second before the token", again)
	}
}

func TestHooksAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var told []string
		tell := func(words ...string) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, strings.Join(words, " "))
		}
		store := &disturbed{Memory: storetest.NewMemory(nil), latency: 2 * time.Millisecond} // its answers come after the decisions
		limits := callerlimit.New(callerlimit.Options{Store: store, Replica: "one", Hooks: callerlimit.Hooks{
			Refused: func(caller string, reason callerlimit.Reason) { tell(caller, string(reason)) },
			StoreState: func(caller string, err error) {
				if err != nil {
					caller += " " + err.Error()
				}
				tell(caller)
			},
		}})
		r := &replica{limits: limits}
		r.use(callerlimit.Limit{Tokens: 1, Per: time.Hour, Burst: 1})
		for _, away := range []bool{false, true, true, false} {
			store.set(func(d *disturbed) { d.away = away })
			r.call(t, "/")
			pass(time.Second)
		}
		r.close(t) // nothing is told any more
		want := "shop rate; shop the store is away; shop rate; shop rate; shop"
		if got := strings.Join(told, "; "); got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	})
}

// The price of a decision, beside that of a mutex.
func BenchmarkStage(b *testing.B) {
	var plain sync.Mutex
	mutex := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			plain.Lock()
			plain.Unlock() //nolint:staticcheck // that is all
			next.ServeHTTP(w, r)
		})
	}
	wide := callerlimit.Limit{Tokens: 1e9, Per: time.Second, Burst: 1e9, Concurrency: 1e6}
	for _, bb := range []struct {
		name  string
		store callerlimit.Store
		limit *callerlimit.Limit
	}{{"mutex", nil, nil}, {"alone", nil, &wide}, {"fleet", storetest.NewMemory(nil), &wide}} {
		b.Run(bb.name, func(b *testing.B) {
			stage := mutex
			if bb.limit != nil {
				r := newAlone(b, bb.store, *bb.limit)
				defer r.close(b)
				stage = r.set.Stage(nil)
			}
			handler := stage(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			ctx, ex := exchange.Begin(b.Context())
			ex.Caller = &exchange.Caller{Name: shop}
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					handler.ServeHTTP(nil, req)
				}
			})
		})
	}
}
