package steady_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/internal/steady"
)

// REL-37: a loop that panics goes on, less and less often while it does nothing
// but panic.
func TestREL37LoopBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var begins []time.Duration
		var told int
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
		defer cancel()
		steady.Keep(ctx, func(context.Context) {
			begins = append(begins, time.Since(start))
			panic("again")
		}, func(value any, stack []byte) {
			told++
			if value != "again" || !strings.Contains(string(stack), "TestREL37LoopBeginsAnew") {
				t.Errorf("told of %v\n%s", value, stack)
			}
		})
		s := time.Second
		if want := []time.Duration{0, s, 3 * s, 7 * s, 15 * s, 31 * s, 63 * s, 123 * s, 183 * s}; !slices.Equal(begins, want) || told != len(want) {
			t.Errorf("began at %v, told %d times; want %v", begins, told, want)
		}
	})
}

// A loop that was well for long is begun anew soon.
func TestLoopThatWasWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var begins []time.Duration
		steady.Keep(t.Context(), func(context.Context) {
			begins = append(begins, time.Since(start))
			switch len(begins) {
			case 3:
				<-time.After(10 * time.Minute)
			case 5:
				return
			}
			panic("now and then")
		}, nil)
		s := time.Second
		if want := []time.Duration{0, s, 3 * s, 604 * s, 606 * s}; !slices.Equal(begins, want) {
			t.Errorf("began at %v, want %v", begins, want)
		}
	})
}

func TestLoopEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	runs := 0
	steady.Keep(ctx, func(ctx context.Context) {
		runs++
		cancel()
		<-ctx.Done()
	}, nil)
	if runs != 1 {
		t.Errorf("%d runs", runs)
	}
	steady.Keep(ctx, func(context.Context) {
		runs++
		panic("at the end")
	}, nil)
	if runs != 2 {
		t.Errorf("%d runs: a loop that panics at the end is not begun again", runs)
	}
}
