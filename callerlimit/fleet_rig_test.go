package callerlimit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/callerlimit"
	"iqgateway/callerlimit/storetest"
	"iqgateway/internal/exchange"
)

const shop = "shop"

var errAway = errors.New("the store is away")

// disturbed is a store with latency and faults.
type disturbed struct {
	*storetest.Memory

	mu      sync.Mutex
	latency time.Duration
	away    bool // refuses before
	deaf    bool // does it, and loses the answer
	hangs   bool // until the trip's context ends
	trips   int
}

func (d *disturbed) set(change func(*disturbed)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

func (d *disturbed) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.trips
}

// Ask implements callerlimit.Store.
func (d *disturbed) Ask(ctx context.Context, caller string, ask callerlimit.Ask) (callerlimit.Answer, error) {
	d.mu.Lock()
	d.trips++
	latency, away, deaf, hangs := d.latency, d.away, d.deaf, d.hangs
	d.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return callerlimit.Answer{}, context.Cause(ctx)
	}
	pass(latency / 2)
	if away {
		return callerlimit.Answer{}, errAway
	}
	answer, err := d.Memory.Ask(ctx, caller, ask)
	pass(latency / 2)
	if deaf {
		return callerlimit.Answer{}, errAway
	}
	return answer, err
}

// pass lets time go by in a bubble.
func pass(d time.Duration) {
	if d > 0 {
		<-time.After(d)
	}
}

// fleet is replicas that share a store, in a bubble.
type fleet struct {
	store *disturbed
	size  atomic.Int64
	all   []*replica
}

// replica is one of them. Its clock is off by some time.
type replica struct {
	fleet  *fleet
	limits *callerlimit.Limits
	set    *callerlimit.Set
	stage  http.Handler
	hold   chan struct{} // requests of /hold last until it is closed

	mu       sync.Mutex
	admitted []time.Time
	refused  []*exchange.Problem
	inside   int
}

func newFleet(t testing.TB, n int, limit callerlimit.Limit) *fleet {
	t.Helper()
	f := &fleet{store: &disturbed{Memory: storetest.NewMemory(nil), latency: time.Millisecond}}
	f.size.Store(int64(n))
	for i := range n {
		f.all = append(f.all, f.start(t, fmt.Sprint("r", i), time.Duration(i)*10*time.Minute, limit))
	}
	return f
}

func (f *fleet) start(t testing.TB, name string, off time.Duration, limit callerlimit.Limit) *replica {
	t.Helper()
	r := &replica{fleet: f, hold: make(chan struct{})}
	r.limits = callerlimit.New(callerlimit.Options{
		Store: f.store, Replica: name, Fleet: func() int { return int(f.size.Load()) },
		Now: func() time.Time { return time.Now().Add(off) },
	})
	r.use(limit)
	return r
}

// use begins a generation and ends the one before.
func (r *replica) use(limit callerlimit.Limit) {
	before := r.set
	r.set = r.limits.Use(map[string]callerlimit.Limit{shop: limit})
	r.set.Apply()
	if before != nil {
		before.Release()
	}
	refuse := func(w http.ResponseWriter, _ *http.Request, err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		p, _ := errors.AsType[*exchange.Problem](err)
		r.refused = append(r.refused, p)
		w.WriteHeader(p.Status())
	}
	r.stage = r.set.Stage(refuse)(http.HandlerFunc(r.serve))
}

// during makes one request, and calls inside if it is admitted.
func (r *replica) during(t testing.TB, inside func()) int {
	t.Helper()
	stage := r.set.Stage(func(w http.ResponseWriter, _ *http.Request, err error) {
		p, _ := errors.AsType[*exchange.Problem](err)
		w.WriteHeader(p.Status())
	})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside() }))
	return callAs(t, stage, &exchange.Caller{Name: shop}, "/during")
}

func (r *replica) serve(_ http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.admitted = append(r.admitted, time.Now())
	r.inside++
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.inside--
	}()
	if req.URL.Path == "/hold" {
		<-r.hold
	}
}

// call makes one request of shop.
func (r *replica) call(t testing.TB, path string) int {
	t.Helper()
	return callAs(t, r.stage, &exchange.Caller{Name: shop}, path)
}

func callAs(t testing.TB, stage http.Handler, caller *exchange.Caller, path string) int {
	t.Helper()
	ctx, ex := exchange.Begin(t.Context())
	ex.Caller = caller
	w := httptest.NewRecorder()
	began := time.Now()
	stage.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil))
	if path == "/" && time.Since(began) > 0 {
		t.Errorf("a request waited for %s", time.Since(began))
	}
	return w.Code
}

// hammer asks every replica of the list so often, for so long, in turn.
func hammer(t testing.TB, replicas []*replica, perSecond int, d time.Duration) {
	t.Helper()
	for i := range int(d.Seconds() * float64(perSecond)) {
		replicas[i%len(replicas)].call(t, "/")
		pass(time.Second / time.Duration(perSecond))
	}
}

// admitted returns the instants of all requests that passed from a time on.
func (f *fleet) admitted(from time.Time) int {
	n := 0
	for _, r := range f.all {
		r.mu.Lock()
		for _, at := range r.admitted {
			if !at.Before(from) {
				n++
			}
		}
		r.mu.Unlock()
	}
	return n
}

func (f *fleet) inside() int {
	n := 0
	for _, r := range f.all {
		r.mu.Lock()
		n += r.inside
		r.mu.Unlock()
	}
	return n
}

// close ends the fleet.
func (f *fleet) close(t testing.TB) {
	t.Helper()
	for _, r := range f.all {
		if err := r.limits.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
