package redisconn

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestJudge(t *testing.T) {
	c, err := New(Options{Addresses: []string{"127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	own := errors.New("the store's own")
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	tests := []struct {
		name string
		late bool // the caller's deadline has passed
		err  error
		want result
		text string
	}{
		{"answered", false, nil, result{reason: outcomeOK}, ""},
		{"missing key", false, redis.Nil, result{reason: outcomeOK, err: redis.Nil}, redis.Nil.Error()},
		{"store's own", false, own, result{reason: outcomeOK, err: own}, own.Error()},
		{"timeout", false, &Error{Reason: ReasonTimeout}, result{ReasonTimeout, verdictWeak, ErrAway}, "redis: op: timeout"},
		{"our bound", false, context.DeadlineExceeded, result{ReasonTimeout, verdictWeak, ErrAway}, "redis: op: timeout"},
		{"told by the store", false, fmt.Errorf("first half: %w", &Error{Reason: ReasonClosed}), result{ReasonClosed, verdictWeak, ErrAway}, "op: first half: redis: closed"},
		{"counted by the node", false, &Error{Reason: ReasonTimeout, ofNode: true}, result{ReasonTimeout, verdictNeutral, ErrAway}, "redis: op: timeout"},
		{"demoted", false, &Error{Reason: "READONLY"}, result{"READONLY", verdictGone, ErrAway}, "redis: op: READONLY"},
		{"caller's deadline", true, &Error{Reason: ReasonTimeout}, result{ReasonCaller, verdictNeutral, context.DeadlineExceeded}, "redis: op: context deadline exceeded"},
		{"answered too late", true, nil, result{reason: outcomeOK}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx := t.Context()
			if test.late {
				ctx = late
			}
			got := c.judge(ctx, "op", test.err)
			if got.reason != test.want.reason || got.verdict != test.want.verdict || !errors.Is(got.err, test.want.err) {
				t.Errorf("%+v, want %+v", got, test.want)
			}
			if got.err != nil && got.err.Error() != test.text {
				t.Errorf("text %q, want %q", got.err, test.text)
			}
		})
	}
}

func TestPanicGivesItsPlaceBack(t *testing.T) {
	var outcomes []string
	c, err := New(Options{Addresses: []string{"127.0.0.1:1"}, Hooks: Hooks{Called: func(called Called) {
		outcomes = append(outcomes, called.Operation+" "+called.Outcome)
	}}})
	if err != nil {
		t.Fatal(err)
	}
	s := c.session(target{mode: ModeSingle})
	if err := c.adopt(s, target{mode: ModeSingle}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = c.Call(t.Context(), "op", func(context.Context, redis.UniversalClient) error { panic("a store's bug") })
	}()
	if s.breaker.waiting != 0 || !c.Status().Up {
		t.Errorf("%d calls still wait, status %+v", s.breaker.waiting, c.Status())
	}
	if got := strings.Join(outcomes, ", "); got != "op caller" {
		t.Errorf("outcomes %q", got)
	}
}

// A result that comes after the session was lost says nothing about the next.
func TestLateResultsOfALostSession(t *testing.T) {
	states := 0
	c, err := New(Options{Addresses: []string{"127.0.0.1:1"}, Hooks: Hooks{StateChanged: func(Status) { states++ }}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	single := target{mode: ModeSingle}
	old, next := c.session(single), c.session(single)
	if err := c.adopt(old, single); err != nil {
		t.Fatal(err)
	}
	c.lose(old, &Error{Operation: "op", Reason: ReasonTimeout})
	c.lose(old, &Error{Operation: "op", Reason: ReasonClosed})
	if got := c.Status(); got.Up || got.LastError != "redis: op: timeout" {
		t.Errorf("lost twice: %+v", got)
	}
	if err := c.adopt(next, single); err != nil {
		t.Fatal(err)
	}
	c.lose(old, &Error{Operation: "op", Reason: ReasonTimeout})
	if !c.Status().Up || states != 3 {
		t.Errorf("status %+v after %d changes", c.Status(), states)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := c.adopt(c.session(single), single); !errors.Is(err, ErrAway) || c.Status().Up {
		t.Errorf("found after Close: %v, %+v", err, c.Status())
	}
}
