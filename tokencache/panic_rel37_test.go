package tokencache

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// brokenStore gives claims, and panics when it is told what came of them.
type brokenStore struct{ Store }

type brokenClaim struct{ Claim }

func (brokenStore) Load(context.Context, StoreKey) (Shared, error) { return Shared{}, nil }

func (brokenStore) Claim(context.Context, StoreKey) (Claim, Shared, error) {
	return brokenClaim{}, Shared{}, nil
}

func (brokenClaim) Fail(context.Context, History) error { panic("the store") }

func (brokenClaim) Release() {}

// REL-37: a fetch that panics, and a store that panics when it is told of that,
// leave nobody waiting: the flight ends, and there is a next one.
func TestREL37AStoreThatPanicsTwiceEndsTheFlight(t *testing.T) {
	var told, calls atomic.Int64
	o := Options{Store: brokenStore{}, Hooks: Hooks{Panicked: func(ID, any, []byte) { told.Add(1) }}}
	broken := func(c *Credential) {
		c.Transport = tripper(func(*http.Request) (*http.Response, error) {
			calls.Add(1)
			panic("the call")
		})
	}
	inBubble(t, o, &idp{}, broken, func(t *testing.T, e *entry, _ *Set) {
		for n := range int64(3) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			_, err := acquired(e.acquire(ctx))
			cancel()
			if err == nil || errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("attempt %d: %v", n, err)
			}
			pass(time.Minute)
			if calls.Load() != n+1 || told.Load() != 2*(n+1) {
				t.Errorf("after %d attempts: %d calls, told of %d panics", n+1, calls.Load(), told.Load())
			}
		}
	})
}
