package bulkhead

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/internal/exchange"
)

// A slot is held until the body has ended, not until the header has come.
func TestSlotEndsWithTheBody(t *testing.T) {
	for name, end := range map[string]func(io.ReadCloser){
		"read": func(b io.ReadCloser) { _, _ = io.Copy(io.Discard, b) },
		"close": func(b io.ReadCloser) {
			_ = b.Close()
			_ = b.Close()
		},
		"read and close": func(b io.ReadCloser) {
			_, _ = io.Copy(io.Discard, b)
			_ = b.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := NewUpstreams(UpstreamsOptions{})
			stage := use(t, u, 2).Stage()(tripper(answering))
			first, second := trip(t, stage, request(t.Context())), trip(t, stage, request(t.Context()))
			wantState(t, u, UpstreamState{Key: crm, MaxInFlight: 2, InFlight: 2})
			end(first.Body)
			wantState(t, u, UpstreamState{Key: crm, MaxInFlight: 2, InFlight: 1})
			end(second.Body)
			wantState(t, u, UpstreamState{Key: crm, MaxInFlight: 2})
		})
	}
}

func TestSlotComesBackAfterFailure(t *testing.T) {
	broken := errors.New("broken")
	for name, next := range map[string]tripper{
		"error": func(*http.Request) (*http.Response, error) { return nil, broken },
		"panic": func(*http.Request) (*http.Response, error) { panic(broken) },
	} {
		t.Run(name, func(t *testing.T) {
			u := NewUpstreams(UpstreamsOptions{})
			stage := use(t, u, 1).Stage()(next)
			func() {
				defer func() {
					if value := recover(); value != nil && value != any(broken) {
						t.Errorf("panic %v", value)
					}
				}()
				if _, err := stage.RoundTrip(request(t.Context())); !errors.Is(err, broken) {
					t.Errorf("error %v", err)
				}
			}()
			wantState(t, u, UpstreamState{Key: crm, MaxInFlight: 1})
		})
	}
}

// Requests wait in the order in which they came, and no more of them than there
// are slots.
func TestWaitersAreServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waits []time.Duration
		var refused []Reason
		u := NewUpstreams(UpstreamsOptions{Hooks: UpstreamHooks{
			Waited:  func(_ Key, d time.Duration) { waits = append(waits, d) },
			Refused: func(_ Key, r Reason, _ time.Duration) { refused = append(refused, r) },
		}})
		stage := use(t, u, 2).Stage()(tripper(answering))
		held := []*http.Response{trip(t, stage, request(t.Context())), trip(t, stage, request(t.Context()))}
		order := make(chan int, 2)
		for i := range 2 {
			go func() {
				res := trip(t, stage, request(t.Context()))
				order <- i
				_ = res.Body.Close()
			}()
			synctest.Wait() // it stands in the queue
		}
		wantState(t, u, UpstreamState{Key: crm, MaxInFlight: 2, InFlight: 2, Waiting: 2})
		_, err := stage.RoundTrip(request(t.Context()))
		wantBusy(t, err, "as many wait already")

		<-time.After(3 * time.Second)
		_ = held[0].Body.Close()
		if first, second := <-order, <-order; first != 0 || second != 1 {
			t.Errorf("order %d, %d", first, second)
		}
		synctest.Wait()
		wantState(t, u, UpstreamState{Key: crm, MaxInFlight: 2, InFlight: 1})
		_ = held[1].Body.Close()
		if len(waits) != 2 || waits[0] != 3*time.Second || len(refused) != 1 || refused[0] != ReasonFull {
			t.Errorf("waits %v, refusals %v", waits, refused)
		}
	})
}

func TestNoWaitIsRefusedAtOnce(t *testing.T) {
	u := NewUpstreams(UpstreamsOptions{})
	stage := use(t, u, 1).Stage()(tripper(answering))
	held := trip(t, stage, request(t.Context()))
	hurried := func(ex *exchange.Exchange) { ex.NoWait = true }
	_, err := stage.RoundTrip(request(t.Context(), hurried))
	wantBusy(t, err, "must not wait")
	_ = held.Body.Close()
	_ = trip(t, stage, request(t.Context(), hurried)).Body.Close()
	wantState(t, u, UpstreamState{Key: crm, MaxInFlight: 1})
}

// A wait ends with the context: a passed deadline is a refusal, a caller that
// left gets none. Neither leaves anything behind.
func TestWaitEndsWithTheContext(t *testing.T) {
	left := errors.New("left")
	for name, tt := range map[string]struct {
		end    func(context.Context) (context.Context, context.CancelFunc)
		reason Reason
	}{
		"deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, ReasonDeadline},
		"left": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(time.Second, func() { cancel(left) })
			return ctx, func() { cancel(nil) }
		}, ReasonLeft},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got Reason
				var waited time.Duration
				u := NewUpstreams(UpstreamsOptions{Hooks: UpstreamHooks{
					Refused: func(_ Key, r Reason, d time.Duration) { got, waited = r, d },
				}})
				stage := use(t, u, 1).Stage()(tripper(answering))
				held := trip(t, stage, request(t.Context()))
				ctx, cancel := tt.end(t.Context())
				defer cancel()
				body := &closedBody{}
				r := request(ctx)
				r.Body = body
				_, err := stage.RoundTrip(r)
				if tt.reason == ReasonDeadline {
					wantBusy(t, err, "none ended within 1s")
				} else if !errors.Is(err, left) {
					t.Errorf("error %v", err)
				}
				if got != tt.reason || waited != time.Second || !body.closed {
					t.Errorf("reason %s after %s, body closed %t", got, waited, body.closed)
				}
				wantState(t, u, UpstreamState{Key: crm, MaxInFlight: 1, InFlight: 1})
				_ = held.Body.Close()
				wantState(t, u, UpstreamState{Key: crm, MaxInFlight: 1})
			})
		})
	}
}

type closedBody struct{ closed bool }

func (b *closedBody) Read([]byte) (int, error) { return 0, io.EOF }

func (b *closedBody) Close() error {
	b.closed = true
	return nil
}

// Whatever ends when, there are never more than the limit, and in the end
// nothing is held.
func TestSlotsAreNeverExceeded(t *testing.T) {
	const limit, callers, rounds = 4, 32, 200
	var inside, most atomic.Int64
	u := NewUpstreams(UpstreamsOptions{})
	stage := use(t, u, limit).Stage()(tripper(func(r *http.Request) (*http.Response, error) {
		for now := inside.Add(1); ; {
			seen := most.Load()
			if now <= seen || most.CompareAndSwap(seen, now) {
				break
			}
		}
		res, err := answering(r)
		res.Body = leaving{res.Body, &inside}
		return res, err
	}))
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			for round := range rounds {
				ctx, cancel := context.WithCancel(t.Context())
				if (i+round)%5 == 0 { // leaves while it waits, or before
					go cancel()
				}
				if res, err := stage.RoundTrip(request(ctx)); err == nil {
					_ = res.Body.Close()
				}
				cancel()
			}
		})
	}
	all.Wait()
	if most.Load() > limit || most.Load() == 0 {
		t.Errorf("%d at once, want 1 to %d", most.Load(), limit)
	}
	wantState(t, u, UpstreamState{Key: crm, MaxInFlight: limit})
}

type leaving struct {
	io.ReadCloser
	inside *atomic.Int64
}

func (l leaving) Close() error {
	l.inside.Add(-1)
	return l.ReadCloser.Close()
}

func BenchmarkStage(b *testing.B) {
	for _, bb := range []struct {
		name  string
		stage bool
	}{{"bare", false}, {"stage", true}} {
		b.Run(bb.name, func(b *testing.B) {
			var next http.RoundTripper = tripper(answering)
			if bb.stage {
				next = use(b, NewUpstreams(UpstreamsOptions{}), 256).Stage()(next)
			}
			r := request(b.Context())
			b.ReportAllocs()
			for b.Loop() {
				_ = trip(b, next, r).Body.Close()
			}
		})
	}
}
