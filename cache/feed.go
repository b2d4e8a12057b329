package cache

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"iqgateway/internal/steady"
)

// appendMost is how many events one call gives the log.
const appendMost = 128

// feedOptions are what a feed works with.
type feedOptions struct {
	Index *index
	Log   Log           // nil = this process is alone
	Poll  time.Duration // how often the log is read; 0 = 50 ms
	Wait  time.Duration // how long one call of the log may take; 0 = 50 ms
	Retry time.Duration // how often the log is offered what it did not take; 0 = 100 ms
	// OnError (nil = silent) is told what the log refused; op is "append" or
	// "since".
	OnError func(op string, err error)
	// Panicked (nil = silent) is told of a panic; what panicked begins anew.
	Panicked steady.Panicked
}

// feed carries invalidations to the fleet and back.
type feed struct {
	o       feedOptions
	answers atomic.Int64 // when the last complete answer was asked for, in nanoseconds since began
	began   time.Time
	// failures counts those of the log since it took all that waits; while there
	// are any, writers do not wait for it.
	failures atomic.Int64
}

func newFeed(o feedOptions) *feed {
	o.Poll = cmp.Or(o.Poll, 50*time.Millisecond)
	o.Wait = cmp.Or(o.Wait, 50*time.Millisecond)
	o.Retry = cmp.Or(o.Retry, 100*time.Millisecond)
	if o.OnError == nil {
		o.OnError = func(string, error) {}
	}
	f := &feed{o: o, began: time.Now()}
	f.answers.Store(-1)
	return f
}

// Run reads the log, and offers it what it did not take, until ctx ends.
func (f *feed) Run(ctx context.Context) error {
	if f.o.Log == nil {
		<-ctx.Done()
		return nil
	}
	var both sync.WaitGroup
	keep := func(interval time.Duration, do func(context.Context)) {
		both.Go(func() { steady.Keep(ctx, func(ctx context.Context) { f.every(ctx, interval, do) }, f.o.Panicked) })
	}
	keep(f.o.Poll, f.read)
	keep(f.o.Retry, f.offer)
	both.Wait()
	f.offer(context.WithoutCancel(ctx)) // the last chance of what waits
	return nil
}

// every does something at once and then again and again. A turn that took
// longer than the interval is not made up for.
func (f *feed) every(ctx context.Context, interval time.Duration, do func(ctx context.Context)) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		do(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// read takes what is new. After a loss it asks again at once: what came after
// the loss is in the next answer.
func (f *feed) read(ctx context.Context) {
	for range 2 {
		asked := time.Now()
		news, err := f.since(ctx)
		if err != nil {
			f.failed(ctx, "since", err)
			return
		}
		f.o.Index.follow(news)
		f.answers.Store(int64(asked.Sub(f.began)))
		if !news.Lost {
			return
		}
		f.failures.Add(1) // the other log took events that this one does not have
	}
}

func (f *feed) since(ctx context.Context) (News, error) {
	ctx, cancel := context.WithTimeout(ctx, f.o.Wait)
	defer cancel()
	return f.o.Log.Since(ctx, f.o.Index.position())
}

// offer gives the log what it did not take, unless it fails again.
func (f *feed) offer(ctx context.Context) {
	for ctx.Err() == nil {
		failures := f.failures.Load()
		if failures == 0 {
			return // what waits now is on its way
		}
		events := f.o.Index.pending(appendMost)
		if len(events) == 0 {
			f.failures.CompareAndSwap(failures, 0)
			return
		}
		if !f.append(ctx, events) {
			return
		}
	}
}

// failed notes a failure that is not the end of the process.
func (f *feed) failed(ctx context.Context, op string, err error) {
	if ctx.Err() == nil {
		f.failures.Add(1)
		f.o.OnError(op, err)
	}
}

// publish drops here at once and tells the fleet: it returns when the log has
// the events or after 50 ms, and at once while the log is known to be away.
// What the log did not take is offered again until it does. The end of ctx
// changes nothing. It reports whether the log has them.
func (f *feed) publish(ctx context.Context, events []Event) bool {
	if len(events) == 0 {
		return true
	}
	events = append([]Event(nil), events...)
	for i := range events {
		events[i].ID = eventID()
	}
	f.o.Index.apply(events, f.o.Log != nil)
	if f.o.Log == nil {
		return true
	}
	if f.failures.Load() > 0 {
		return false // the next offer has them
	}
	return f.append(context.WithoutCancel(ctx), events)
}

func (f *feed) append(ctx context.Context, events []Event) bool {
	wait, cancel := context.WithTimeout(ctx, f.o.Wait)
	defer cancel()
	at, err := f.o.Log.Append(wait, events)
	if err != nil {
		f.failed(ctx, "append", err)
		return false
	}
	f.o.Index.appended(events, at)
	return true
}

// heard is when the log was last asked with success: all that it had then is
// known here. Zero = never. Without a log it is now.
func (f *feed) heard() time.Time {
	if f.o.Log == nil {
		return time.Now()
	}
	since := f.answers.Load()
	if since < 0 {
		return time.Time{}
	}
	return f.began.Add(time.Duration(since))
}
