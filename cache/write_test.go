package cache_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/cache"
	"iqgateway/cache/storetest"
	"iqgateway/internal/exchange"
	"iqgateway/internal/pathpattern"
)

// versions is an origin whose documents have a version that a write raises.
type versions struct {
	mu  sync.Mutex
	all map[string]int
	// status answers a write; 0 = 200.
	status atomic.Int64
}

// ServeHTTP implements [http.Handler].
func (v *versions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.all == nil {
		v.all = map[string]int{}
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		w.Header().Set("Etag", fmt.Sprintf(`"%d"`, v.all["all"]))
		fmt.Fprintf(w, "version %d", v.all["all"])
		return
	}
	if l := r.URL.Query().Get("location"); l != "" {
		w.Header().Set("Location", l)
	}
	v.all["all"]++
	if status := v.status.Load(); status != 0 {
		w.WriteHeader(int(status))
	}
}

// TestWritesDrop is what a write drops in memory, by method, answer and place
// (RFC 9111, section 4.4, and more in policy mode).
func TestWritesDrop(t *testing.T) {
	const stored = "/v1/Companies(1)/Lists(2)"
	for _, tt := range []struct {
		name   string
		mode   cache.Mode
		method string
		path   string
		status int64
		drops  bool
	}{
		{"the target", cache.ModePolicy, "PUT", stored, 0, true},
		{"the target with a query", cache.ModePolicy, "PUT", stored + "?x=1", 0, true},
		{"what stands above", cache.ModePolicy, "PUT", stored + "/Items(3)", 0, true},
		{"what stands below", cache.ModePolicy, "DELETE", "/v1/Companies(1)", 0, true},
		{"the collection of an item", cache.ModePolicy, "POST", "/v1/Companies(1)/Lists", 0, true},
		{"another case", cache.ModePolicy, "PUT", "/V1/companies(1)/LISTS(2)", 0, true},
		{"a sibling", cache.ModePolicy, "PUT", "/v1/Companies(1)/Lists(3)", 0, false},
		{"another company", cache.ModePolicy, "PUT", "/v1/Companies(2)/Lists(2)", 0, false},
		{"a common beginning", cache.ModePolicy, "PUT", stored + "0", 0, false},
		{"by a rule", cache.ModePolicy, "POST", "/v1/Sync(1)", 0, true},
		{"by a rule, for another company", cache.ModePolicy, "POST", "/v1/Sync(2)", 0, false},
		{"by Location", cache.ModeRFC9111, "POST", "/v1/x?location=" + stored, 0, true},
		{"by a Location elsewhere", cache.ModeRFC9111, "POST", "/v1/x?location=http://other.example" + stored, 0, false},
		{"not above, by RFC 9111", cache.ModeRFC9111, "PUT", stored + "/Items(3)", 0, false},
		{"the target, by RFC 9111", cache.ModeRFC9111, "PATCH", stored, 0, true},
		{"an unknown method", cache.ModeRFC9111, "FROB", stored, 0, true},
		{"created", cache.ModePolicy, "PUT", stored, 201, true},
		{"gone", cache.ModePolicy, "DELETE", stored, 410, true},
		{"somebody else wrote", cache.ModePolicy, "PUT", stored, 409, true},
		{"a condition failed", cache.ModePolicy, "PUT", stored, 412, true},
		{"nobody knows", cache.ModePolicy, "PUT", stored, 500, true},
		{"refused", cache.ModePolicy, "PUT", stored, 400, false},
		{"forbidden", cache.ModePolicy, "PUT", stored, 403, false},
		{"too many", cache.ModePolicy, "PUT", stored, 429, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rules := []cache.Rule{
				{
					Path: pathpattern.MustParse("/v1/Sync({company})"), Version: "s", Never: true,
					Invalidates: []pathpattern.Pattern{pathpattern.MustParse("/v1/Companies({company})/**")},
				}, *everything(),
			}
			v := &versions{}
			v.status.Store(tt.status)
			s := newStack(t, stackOptions{service: cache.Service{Mode: tt.mode, Rules: rules}, origin: func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Cache-Control", "public, max-age=60")
				v.ServeHTTP(w, r)
			}})
			s.get(stored).want(t, 200, "version 0", "fwd=uri-miss")
			s.get(stored).want(t, 200, "version 0", "hit")
			s.ask(tt.method, tt.path)
			if tt.drops {
				s.get(stored).want(t, 200, "version 1", "fwd=")
			} else {
				s.get(stored).want(t, 200, "version 0", "hit")
			}
		})
	}
}

// TestAWriteMeetsAFetch: an answer whose fetch had begun before a write is
// neither stored nor given to those who ask after it.
func TestAWriteMeetsAFetch(t *testing.T) {
	old, come := make(chan struct{}), make(chan struct{}, 10)
	v := &versions{}
	first := atomic.Bool{}
	s := newStack(t, stackOptions{origin: func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && !first.Swap(true) {
			come <- struct{}{}
			<-old
			_, _ = io.WriteString(w, "version 0")
			return
		}
		v.ServeHTTP(w, r)
	}})
	var slow sync.WaitGroup
	slow.Go(func() { s.get("/v1/a").want(t, 200, "version 0", "fwd=uri-miss") })
	<-come
	s.ask("PUT", "/v1/a")
	s.get("/v1/a").want(t, 200, "version 1", "fwd=uri-miss")
	close(old)
	slow.Wait()
	s.get("/v1/a").want(t, 200, "version 1", "hit")
}

// TestAWriteWithoutAnAnswer drops, unless it was never sent.
func TestAWriteWithoutAnAnswer(t *testing.T) {
	for _, sent := range []bool{true, false} {
		v := &versions{}
		s := newStack(t, stackOptions{origin: v.ServeHTTP, wrap: func(next http.RoundTripper) http.RoundTripper {
			return tripper(func(r *http.Request) (*http.Response, error) {
				if r.Method == http.MethodGet {
					return next.RoundTrip(r)
				}
				p := exchange.Refuse(exchange.UpstreamTimeout, "no answer")
				p.Outcome = exchange.NotExecuted
				if sent {
					p.Outcome = exchange.OutcomeUnknown
				}
				return nil, p
			})
		}})
		s.get("/v1/a")
		s.ask("PUT", "/v1/a")
		if a := s.get("/v1/a"); strings.HasPrefix(a.cache, "hit") == sent {
			t.Errorf("sent %v: %s", sent, a.cache)
		}
	}
}

// fleetOf returns the options of nodes that share a log and a tier.
func fleetOf(log *storetest.Log, tier *storetest.Tier) func(int) cache.Options {
	var aging *agingTier
	if tier != nil {
		aging = &agingTier{Tier: tier, since: map[string]time.Time{}}
	}
	return func(int) cache.Options {
		o := cache.Options{Memory: 64 << 20, Log: log}
		if aging != nil {
			o.Tier = aging
		}
		return o
	}
}

// agingTier has the clock of the stack.
type agingTier struct {
	cache.Tier
	now func() time.Time

	mu    sync.Mutex
	since map[string]time.Time
}

// Put implements [cache.Tier].
func (a *agingTier) Put(ctx context.Context, name string, value []byte, ttl time.Duration, token string) error {
	a.mu.Lock()
	a.since[name] = a.now()
	a.mu.Unlock()
	return a.Tier.Put(ctx, name, value, ttl, token)
}

// Get implements [cache.Tier].
func (a *agingTier) Get(ctx context.Context, name string) (cache.Entry, error) {
	e, err := a.Tier.Get(ctx, name)
	a.mu.Lock()
	defer a.mu.Unlock()
	e.Age = a.now().Sub(a.since[name])
	return e, err
}

// TestAWriteReachesAllReplicas within a tenth of a second.
func TestAWriteReachesAllReplicas(t *testing.T) {
	v := &versions{}
	s := newStack(t, stackOptions{
		service: cache.Service{Writable: true}, origin: v.ServeHTTP, nodes: 3,
		options: fleetOf(storetest.NewLog(), storetest.NewTier()),
	})
	s.heard()
	for i := range 3 {
		s.askNode(i, "GET", "/v1/a", "").want(t, 200, "version 0", "")
		s.askNode(i, "GET", "/v1/a", "").want(t, 200, "version 0", "hit")
	}
	begin := time.Now()
	s.askNode(0, "PUT", "/v1/a", "")
	s.askNode(0, "GET", "/v1/a", "").want(t, 200, "version 1", "fwd=uri-miss")
	for i := 1; i < 3; i++ {
		eventually(t, "the write is known", func() bool { return s.askNode(i, "GET", "/v1/a", "").body == "version 1" })
	}
	t.Logf("known everywhere after %v", time.Since(begin))
}

// heard waits until all nodes have heard of the log.
func (s *stack) heard() {
	s.t.Helper()
	for _, n := range s.nodes {
		eventually(s.t, "the log", func() bool { return !n.cache.Heard().IsZero() })
	}
}

// TestWithoutTheLog: while a write elsewhere could not be heard of, a copy of
// what can be written is used for five seconds and no longer.
func TestWithoutTheLog(t *testing.T) {
	for _, writable := range []bool{true, false} {
		log := storetest.NewLog()
		s := newStack(t, stackOptions{
			service: cache.Service{Writable: writable}, origin: counting(), nodes: 1, options: fleetOf(log, nil),
		})
		s.heard()
		s.get("/v1/a").want(t, 200, "answer 1", "fwd=uri-miss")
		log.Away(true)
		eventually(t, "the log is away", func() bool { return time.Since(s.nodes[0].cache.Heard()) > 60*time.Millisecond })
		s.pass(4 * time.Second)
		s.get("/v1/a").want(t, 200, "answer 1", "hit")
		s.pass(2 * time.Second)
		if a := s.get("/v1/a"); strings.HasPrefix(a.cache, "hit") == writable {
			t.Errorf("writable %v: %s", writable, a.cache)
		}
		s.pass(4 * time.Second)
		if a := s.get("/v1/a"); !strings.HasPrefix(a.cache, "hit") {
			t.Errorf("writable %v: what came without the log is not used for five seconds: %s", writable, a.cache)
		}
		log.Away(false)
		s.heardAgain()
		s.pass(30 * time.Second)
		if a := s.get("/v1/a"); !strings.HasPrefix(a.cache, "hit") && !writable {
			t.Errorf("with the log: %s", a.cache)
		}
	}
}

func (s *stack) heardAgain() {
	s.t.Helper()
	since := time.Now()
	eventually(s.t, "the log is back", func() bool { return s.nodes[0].cache.Heard().After(since) })
}

// TestWritesToWhatIsNotStored tell the fleet nothing: there is nothing to drop.
func TestWritesToWhatIsNotStored(t *testing.T) {
	live, suggested := everything(), everything()
	live.TTL, live.Never, suggested.Suggest = 0, true, true
	for name, rules := range map[string][]cache.Rule{"nothing": {*live}, "suggested": {*suggested}, "something": {*live, *everything()}} {
		log := storetest.NewLog()
		s := newStack(t, stackOptions{service: cache.Service{Rules: rules}, origin: counting(), options: fleetOf(log, nil)})
		s.heard()
		s.ask("PUT", "/v1/a")
		if told := len(log.Events()) > 0; told != (name == "something") {
			t.Errorf("%s is stored: the fleet was told: %v", name, told)
		}
	}
}
