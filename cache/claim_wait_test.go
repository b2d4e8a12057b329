package cache_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/cache"
	"iqgateway/cache/storetest"
)

// TestNobodyWaitsForAClaimInVain: who may not have what a fetch under way will
// bring does not wait in the fleet either until it has brought it.
func TestNobodyWaitsForAClaimInVain(t *testing.T) {
	for _, tt := range []struct {
		name   string
		begins bool // the answer under way has begun
		first  string
		then   func(s *stack)
		fields []string
		node   int
	}{
		{"after a write", true, "", func(s *stack) { s.ask(http.MethodPut, "/v1/a") }, nil, 0},
		{"elsewhere after a write", true, "", func(s *stack) { s.ask(http.MethodPut, "/v1/a") }, nil, 1},
		{"after a write elsewhere", true, "", func(s *stack) { s.askNode(1, http.MethodPut, "/v1/a", "") }, nil, 1},
		{"after a purge elsewhere", true, "", func(s *stack) {
			s.nodes[1].cache.Purge(s.t.Context(), cache.Event{Kind: cache.DropTag, Tag: "green"})
		}, nil, 1},
		{"more urgent", false, "background", func(*stack) {}, nil, 0},
		{"no-cache", true, "", func(*stack) {}, []string{"Cache-Control: no-cache"}, 0},
		{"no-cache elsewhere", true, "", func(*stack) {}, []string{"Cache-Control: no-cache"}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rule := everything()
			rule.NoCache, rule.Tags = cache.NoCacheObey, []string{"green"}
			var reads atomic.Int64
			come, open := make(chan struct{}), make(chan struct{})
			s := newStack(t, stackOptions{
				rule: rule, nodes: 2, options: fleetOf(storetest.NewLog(), storetest.NewTier()),
				origin: func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodPut {
						return
					}
					i := reads.Add(1)
					if i == 1 {
						if tt.begins {
							_ = http.NewResponseController(w).Flush()
						}
						close(come)
						<-open
					}
					_, _ = fmt.Fprintf(w, "answer %d", i)
				},
			})
			s.heard()
			var first sync.WaitGroup
			first.Go(func() { s.get("/v1/a", "X-Class: "+tt.first) })
			defer first.Wait()
			defer close(open)
			<-come
			if tt.begins {
				eventually(t, "the answer has begun", func() bool { return s.nodes[0].cache.Answered() == 1 })
			}
			tt.then(s)
			ctx, leave := context.WithTimeout(t.Context(), 2*time.Second)
			defer leave()
			s.send(ctx, tt.node, http.MethodGet, "/v1/a", "", tt.fields...).want(t, 200, "answer 2", "fwd=")
		})
	}
}

// claimCounter counts what is done with claims.
type claimCounter struct {
	cache.Tier
	looked, claimed, released, ended atomic.Int64
}

// Get implements [cache.Tier].
func (c *claimCounter) Get(ctx context.Context, name string) (cache.Entry, error) {
	c.looked.Add(1)
	return c.Tier.Get(ctx, name)
}

// Claim implements [cache.Tier].
func (c *claimCounter) Claim(ctx context.Context, name string, lasting time.Duration) (string, bool, error) {
	c.claimed.Add(1)
	return c.Tier.Claim(ctx, name, lasting)
}

// Release implements [cache.Tier].
func (c *claimCounter) Release(ctx context.Context, name, token string, alone time.Duration) error {
	c.released.Add(1)
	return c.Tier.Release(ctx, name, token, alone)
}

// Put implements [cache.Tier].
func (c *claimCounter) Put(ctx context.Context, name string, value []byte, ttl time.Duration, token string) error {
	if token != "" {
		c.ended.Add(1)
	}
	return c.Tier.Put(ctx, name, value, ttl, token)
}

func (c *claimCounter) want(t *testing.T, claimed, released, ended int64) {
	t.Helper()
	if got := [3]int64{c.claimed.Load(), c.released.Load(), c.ended.Load()}; got != [3]int64{claimed, released, ended} {
		t.Errorf("claimed, given back, ended by a value: %d, want %d", got, [3]int64{claimed, released, ended})
	}
}

// TestAClaimIsLetGoOnce: a fetch whose answer will be dropped gives its claim
// back once, and goes on for those who wait for it.
func TestAClaimIsLetGoOnce(t *testing.T) {
	var reads atomic.Int64
	come, open := make(chan struct{}, 2), make(chan struct{})
	tier, log := &claimCounter{Tier: storetest.NewTier()}, storetest.NewLog()
	s := newStack(t, stackOptions{
		nodes: 2, options: func(int) cache.Options { return cache.Options{Memory: 1 << 20, Log: log, Tier: tier} },
		origin: func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				return
			}
			i := reads.Add(1)
			come <- struct{}{}
			<-open
			_, _ = fmt.Fprintf(w, "answer %d", i)
		},
	})
	s.heard()
	answer := sync.OnceFunc(func() { close(open) })
	t.Cleanup(answer)
	var both sync.WaitGroup
	both.Go(func() { s.get("/v1/a").want(t, 200, "answer 1", "fwd=") })
	<-come
	s.askNode(1, http.MethodPut, "/v1/b", "") // is something else
	s.heardAgain()
	tier.want(t, 1, 0, 0)
	s.askNode(1, http.MethodPut, "/v1/a", "")
	eventually(t, "it is let go", func() bool { return tier.released.Load() > 0 })
	both.Go(func() { s.askNode(1, http.MethodGet, "/v1/a", "").want(t, 200, "answer 2", "fwd=") })
	<-come
	tier.want(t, 2, 1, 0)
	answer()
	both.Wait()
	eventually(t, "the fetches have ended", func() bool { return s.flights() == 0 && tier.ended.Load() > 0 })
	tier.want(t, 2, 1, 1)
	s.get("/v1/a").want(t, 200, "answer 2", "hit")
	s.wantAsked(4)
}

// hidingTier does not say that a fetch is claimed: the claim comes in between.
type hidingTier struct{ cache.Tier }

// Get implements [cache.Tier].
func (h hidingTier) Get(ctx context.Context, name string) (cache.Entry, error) {
	entry, err := h.Tier.Get(ctx, name)
	entry.Claimed = false
	return entry, err
}

// TestWaitingIsLooking: who waits for another replica's fetch asks for the claim
// when that is free, fetches when it has it, and does not wait for ever.
func TestWaitingIsLooking(t *testing.T) {
	for _, tt := range []struct {
		name          string
		hidden, later bool
	}{{name: "claimed"}, {name: "claimed in between", hidden: true}, {name: "far too long", later: true}} {
		t.Run(tt.name, func(t *testing.T) {
			tier, log := &claimCounter{Tier: storetest.NewTier()}, storetest.NewLog()
			if tt.hidden {
				tier.Tier = hidingTier{tier.Tier}
			}
			g := newGate(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "one") })
			s := newStack(t, stackOptions{
				nodes: 2, origin: g.ServeHTTP,
				options: func(int) cache.Options { return cache.Options{Memory: 1 << 20, Log: log, Tier: tier} },
			})
			s.heard()
			var both sync.WaitGroup
			both.Go(func() { s.get("/v1/a").want(t, 200, "one", "fwd=uri-miss") })
			<-g.come
			how := map[bool]string{true: "fwd=uri-miss", false: "hit"}[tt.later]
			both.Go(func() { s.askNode(1, http.MethodGet, "/v1/a", "").want(t, 200, "one", how) })
			eventually(t, "it has looked again", func() bool { return tier.looked.Load() > 3 })
			if n := tier.claimed.Load(); (n > 1) != tt.hidden {
				t.Errorf("%d asked for the claim", n)
			}
			if tt.later {
				s.pass(6 * time.Second)
				<-g.come
			}
			close(g.open)
			both.Wait()
			s.wantAsked(map[bool]int64{true: 2, false: 1}[tt.later])
		})
	}
}
