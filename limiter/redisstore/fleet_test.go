package redisstore_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/internal/redistest"
	"iqgateway/limiter"
)

// origin is an upstream with fixed windows on the clock.
type origin struct {
	limit  int64
	window time.Duration

	mu      sync.Mutex
	used    map[int64]int64 // by the end of the window
	refused map[int64]int64
}

func newOrigin() *origin {
	return &origin{limit: 300, window: 3 * time.Second, used: map[int64]int64{}, refused: map[int64]int64{}}
}

// RoundTrip implements http.RoundTripper.
func (o *origin) RoundTrip(req *http.Request) (*http.Response, error) {
	exchange.From(req.Context()).Attempts++
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	end := now.Truncate(o.window).Add(o.window)
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}
	if o.used[end.Unix()] == o.limit {
		o.refused[end.Unix()]++
		resp.StatusCode = http.StatusTooManyRequests
	} else {
		o.used[end.Unix()]++
	}
	resp.Header.Set("X-RateLimit-Limit", strconv.FormatInt(o.limit, 10))
	resp.Header.Set("X-RateLimit-Remaining", strconv.FormatInt(o.limit-o.used[end.Unix()], 10))
	resp.Header.Set("X-RateLimit-Reset", limiter.ResetUS.Format(end))
	resp.Header.Set("X-RateLimit-ResetSeconds", strconv.Itoa(int(end.Sub(now).Seconds()+0.5)))
	return resp, nil
}

// total is what was counted and refused since the start.
func (o *origin) total() (sent, refused int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, n := range o.used {
		sent += n
	}
	for _, n := range o.refused {
		refused += n
	}
	return sent, refused
}

func fleetKey() limiter.Key { return bucket("crm") }

// member is one gateway's quota stage.
func member(t *testing.T, r *replica, name string, o *origin) http.RoundTripper {
	t.Helper()
	l := limiter.New(limiter.Options{Store: r, Replica: t.Name() + name, Fleet: func() int { return 3 }})
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

// saturate has callers of all members send one request after the other until
// ctx ends.
func saturate(ctx context.Context, t *testing.T, members []http.RoundTripper) (wait func()) {
	var callers sync.WaitGroup
	for _, m := range members {
		for c := range 8 {
			callers.Go(func() {
				for ctx.Err() == nil {
					if err := send(ctx, m, fmt.Sprintf("caller-%d", c)); err != nil && ctx.Err() == nil {
						t.Errorf("caller %d: %v", c, err)
						return
					}
				}
			})
		}
	}
	return callers.Wait
}

// lasting returns a context that ends without a deadline, by which requests
// would be refused that cannot be served before it.
func lasting(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	timer := time.AfterFunc(d, cancel)
	t.Cleanup(func() { timer.Stop() })
	return ctx
}

func send(ctx context.Context, m http.RoundTripper, caller string) error {
	ex := &exchange.Exchange{
		Caller: &exchange.Caller{Name: caller}, Class: "interactive",
		Target: &exchange.Target{Environment: "production", Service: "crm", Policy: "authenticated"},
	}
	req, err := http.NewRequestWithContext(exchange.With(ctx, ex), http.MethodGet, "https://crm.example/v1/x", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := m.RoundTrip(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func TestAFleetUsesTheWholeWindow(t *testing.T) {
	t.Parallel()
	server := redistest.Single(t)
	o := newOrigin()
	members := make([]http.RoundTripper, 3)
	var first *replica
	for i := range members {
		r := newReplica(t, server, redistest.Generous)
		members[i] = member(t, r, strconv.Itoa(i), o)
		if i == 0 {
			first = r
		}
	}
	ctx := lasting(t, 13*time.Second)
	saturate(ctx, t, members)()

	sent, refused := o.total()
	now := time.Now()
	for end, used := range o.used {
		ended := time.Unix(end, 0)
		if whole := ended.Before(now) && ended.After(now.Add(-9*time.Second)); whole && used < o.limit*9/10 {
			t.Errorf("%d of %d used of the window that ended at %v", used, o.limit, ended)
		}
	}
	text := must[string](t)(redistest.Client(t, server).Get(t.Context(), first.name(fleetKey(), "state")).Result())
	trips, _ := packedState(t, text).(map[string]any)["Trips"].(float64)
	t.Logf("%d requests, %.2f trips each, by window: %v", sent, trips/float64(sent), o.used)
	if refused > 0 {
		t.Errorf("the upstream refused %d of %d requests", refused, sent)
	}
	if trips == 0 || trips > 0.5*float64(sent) {
		t.Errorf("%v trips for %d requests", trips, sent)
	}
}

// Without the store the fleet goes on, and neither its loss nor its return, with
// nothing left in it, costs more than a few refusals in a window.
func TestAFleetLosesItsStore(t *testing.T) {
	t.Parallel()
	server := redistest.Single(t)
	o := newOrigin()
	members := make([]http.RoundTripper, 3)
	for i := range members {
		members[i] = member(t, newReplica(t, server, 100*time.Millisecond), strconv.Itoa(i), o)
	}
	ctx := lasting(t, 13*time.Second)
	wait := saturate(ctx, t, members)
	// In the middle of a window and of the next but one.
	<-time.After(time.Until(time.Now().Truncate(o.window).Add(o.window + o.window/3)))
	server.Kill()
	before, _ := o.total()
	// Well into the next window, whose begin nobody knows better than by a second.
	<-time.After(o.window + o.window/3)
	during, _ := o.total()
	server.Start()
	wait()
	sent, _ := o.total()
	t.Logf("%d requests, %d of them while the store was away, by window: %v, refused: %v", sent, during-before, o.used, o.refused)
	for end, n := range o.refused {
		// One of each that waits for the last token without the store, and a
		// few that the store grants before all have told it again what they sent.
		if n > int64(len(members))*3 {
			t.Errorf("the upstream refused %d requests in the window that ended at %d", n, end)
		}
	}
	if during-before < o.limit/10 {
		t.Errorf("without the store only %d requests went in a window", during-before)
	}
}
