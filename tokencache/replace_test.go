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
		replace := func(refused *token, want any, calls int) {
			t.Helper()
			got, err := acquired(e.replace(t.Context(), refused))
			if why, isErr := want.(error); isErr && !errors.Is(err, why) {
				t.Errorf("replacing %d: %v, want %v", refused.generation(), err, why)
			}
			if generation, ok := want.(int); ok && (err != nil || got.generation() != uint64(generation)) {
				t.Errorf("replacing %d: %v, want %d", refused.generation(), err, want)
			}
			if endpoint.count() != calls {
				t.Errorf("replacing %d: %d calls, want %d", refused.generation(), endpoint.count(), calls)
			}
		}
		first := wantToken(t, e, 1)
		replace(first, errNeverAccepted, 1)
		e.accept(t.Context(), first)
		replace(first, 2, 2) // the current one
		replace(first, 2, 2) // a late 401 of the one before
		replace(nil, 2, 2)   // an attempt that carried none
		second := wantToken(t, e, 2)
		pass(time.Minute)
		replace(second, errNeverAccepted, 2)
		e.accept(t.Context(), second)
		replace(second, 3, 3)
		third := wantToken(t, e, 3)
		e.accept(t.Context(), third)
		replace(third, errReplacedLately, 3)
		pass(29 * time.Second)
		replace(third, errReplacedLately, 3)
		pass(time.Second)
		replace(third, 4, 4)
		replace(first, 4, 4)
	})
}

func TestReplaceHerd(t *testing.T) {
	endpoint := &idp{delay: time.Second}
	inBubble(t, Options{}, endpoint, nil, func(t *testing.T, e *entry, _ *Set) {
		first := wantToken(t, e, 1)
		e.accept(t.Context(), first)
		var callers sync.WaitGroup
		for range 200 {
			callers.Go(func() {
				if got, err := acquired(e.replace(t.Context(), first)); err != nil || got.generation() != 2 {
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
		first := wantToken(t, e, 1)
		e.accept(t.Context(), first)
		endpoint.behave(always(503, ""))
		if _, err := acquired(e.replace(t.Context(), first)); err == nil || isKept(err) {
			t.Errorf("replaced by a dead endpoint: %v", err)
		}
		wantToken(t, e, 1)
		endpoint.behave(nil)
		pass(time.Second)
		if got, err := acquired(e.replace(t.Context(), first)); err != nil || got.generation() != 2 {
			t.Errorf("after recovery: %+v, %v", got, err)
		}
	})
}

func TestNoReplacementAfterRelease(t *testing.T) {
	endpoint := &idp{}
	inBubble(t, Options{}, endpoint, nil, func(t *testing.T, e *entry, s *Set) {
		first := wantToken(t, e, 1)
		e.accept(t.Context(), first)
		s.Release()
		if _, err := acquired(e.replace(t.Context(), first)); !errors.Is(err, errRetired) || endpoint.count() != 1 {
			t.Errorf("%v after %d calls", err, endpoint.count())
		}
	})
}
