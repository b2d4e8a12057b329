package cache

import (
	"context"
	"time"
)

// feedOptions are what a feed works with.
type feedOptions struct {
	Index *index
	Log   Log           // nil = this process is alone
	Poll  time.Duration // how often the log is read; 0 = 50 ms
	Wait  time.Duration // how long a writer waits for the log; 0 = 50 ms
	Retry time.Duration // how often the log is offered what it did not take; 0 = 100 ms
	// OnError (nil = silent) is told what the log refused, op is "append" or "since".
	OnError func(op string, err error)
}

// feed carries invalidations to the fleet and back.
type feed struct{}

func newFeed(o feedOptions) *feed { return &feed{} }

// Run reads the log until ctx ends.
func (f *feed) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// publish drops here at once, and tells the fleet: it returns when the log has
// the events or after 50 ms, and at once while the log is known to be away.
// What the log did not take is offered again until it does. The end of ctx
// changes nothing. It reports whether the log has them.
func (f *feed) publish(ctx context.Context, events []Event) bool { return true }

// heard is when the log last told all that it knew; zero = never. Without a log
// it is now.
func (f *feed) heard() time.Time { return time.Now() }
