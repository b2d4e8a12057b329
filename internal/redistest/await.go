package redistest

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// patience bounds every wait for something that takes a second at most on an
// idle machine; test machines are not idle.
const patience = 30 * time.Second

// bounded is the time that one operation of the harness has. It works in
// clean-up functions too, when the test's own context has ended.
func bounded(t testing.TB) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(t.Context()), patience)
}

// await tries until it succeeds or ctx ends; the error is the last try's. A try
// that meets a frozen server is cut off and repeated.
func await(ctx context.Context, every time.Duration, try func(ctx context.Context) error) error {
	began := time.Now()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		once, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := try(once)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("gave up after %v: %w", time.Since(began).Round(time.Millisecond), err)
		case <-ticker.C:
		}
	}
}
