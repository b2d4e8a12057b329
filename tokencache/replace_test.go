package tokencache

import (
	"errors"
	"sync"
	"testing"
	"time"
)

func TestReplace(t *testing.T) {
	endpoint := &idp{delay: time.Second}
	inBubble(t, Options{}, endpoint, nil, func(t *testing.T, e *entry, _ *Set) {
		replace := func(generation, want uint64, calls int) {
			t.Helper()
			got, err := e.replace(t.Context(), generation)
			switch {
			case want == 0 && !errors.Is(err, errRejected):
				t.Errorf("replacing %d: %v", generation, err)
			case want != 0 && (err != nil || got.generation != want):
				t.Errorf("replacing %d: %v, want %d", generation, err, want)
			}
			if endpoint.count() != calls {
				t.Errorf("replacing %d: %d calls, want %d", generation, endpoint.count(), calls)
			}
		}
		wantToken(t, e, 1)
		replace(1, 2, 2) // the current one
		replace(1, 2, 2) // a late 401 of the one before
		replace(0, 2, 2) // an attempt that carried none
		replace(2, 0, 2) // again, too soon
		pass(29 * time.Second)
		replace(2, 0, 2)
		pass(time.Second)
		replace(2, 3, 3)
		replace(1, 3, 3)
	})
}

func TestReplaceHerd(t *testing.T) {
	endpoint := &idp{delay: time.Second}
	inBubble(t, Options{}, endpoint, nil, func(t *testing.T, e *entry, _ *Set) {
		wantToken(t, e, 1)
		var callers sync.WaitGroup
		for range 200 {
			callers.Go(func() {
				if got, err := e.replace(t.Context(), 1); err != nil || got.generation != 2 {
					t.Errorf("%+v, %v", got, err)
				}
			})
		}
		callers.Wait()
		if endpoint.count() != 2 {
			t.Errorf("%d calls", endpoint.count())
		}
	})
}

// While a replacement cannot be had, the refused token still serves those whom
// other services would accept it from.
func TestFailedReplacementKeepsTheToken(t *testing.T) {
	endpoint := &idp{}
	inBubble(t, Options{}, endpoint, nil, func(t *testing.T, e *entry, _ *Set) {
		wantToken(t, e, 1)
		endpoint.behave(always(503, ""))
		if _, err := e.replace(t.Context(), 1); err == nil || errors.Is(err, errRejected) {
			t.Errorf("replaced by a dead endpoint: %v", err)
		}
		wantToken(t, e, 1)
		endpoint.behave(nil)
		pass(time.Second)
		if got, err := e.replace(t.Context(), 1); err != nil || got.generation != 2 {
			t.Errorf("after recovery: %+v, %v", got, err)
		}
	})
}

func TestNoReplacementAfterRelease(t *testing.T) {
	endpoint := &idp{}
	inBubble(t, Options{}, endpoint, nil, func(t *testing.T, e *entry, s *Set) {
		wantToken(t, e, 1)
		s.Release()
		if _, err := e.replace(t.Context(), 1); !errors.Is(err, errRetired) || endpoint.count() != 1 {
			t.Errorf("%v after %d calls", err, endpoint.count())
		}
	})
}
