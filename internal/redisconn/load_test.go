package redisconn_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redisconn"
)

// load sends calls at a steady rate, each on its own goroutine as requests
// are, and remembers how each ended.
type load struct {
	stop func()

	mu      sync.Mutex
	results []callResult
	hiccup  time.Duration // how late this machine woke a goroutine, at worst
}

type callResult struct {
	began time.Time
	took  time.Duration
	err   error
}

const loadRate = 500 // per second

// newLoad writes through call (c.Call or c.CallIdempotent) to many keys.
func newLoad(
	t testing.TB, c *redisconn.Conn,
	call func(context.Context, string, func(context.Context, redis.UniversalClient) error) error,
) *load {
	t.Helper()
	l := &load{}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(time.Second / loadRate)
		defer tick.Stop()
		for i := 0; ctx.Err() == nil; i++ {
			key := c.Key("load", fmt.Sprint(i%50)).Field("v")
			wg.Go(func() {
				began := time.Now()
				err := call(context.Background(), "load.set", set(key))
				l.add(callResult{began, time.Since(began), err})
			})
			<-tick.C
		}
	})
	wg.Go(func() { l.watchMachine(ctx) })
	l.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(l.stop)
	return l
}

func (l *load) watchMachine(ctx context.Context) {
	const nap = 5 * time.Millisecond
	timer := time.NewTimer(nap)
	defer timer.Stop()
	for ctx.Err() == nil {
		slept := time.Now()
		timer.Reset(nap)
		<-timer.C
		l.mu.Lock()
		l.hiccup = max(l.hiccup, time.Since(slept)-nap)
		l.mu.Unlock()
	}
}

// bounded fails the test for calls since from that cost their callers more
// than promised. A machine too busy to run goroutines in time is forgiven.
func (l *load) bounded(t testing.TB, from time.Time, maxFailed int) {
	t.Helper()
	_, failed, refused, slowest := tally(l.since(from))
	hiccup := l.late()
	t.Logf("%d calls failed slowly, %d were refused at once, slowest %v; the machine was late by %v", failed, refused, slowest, hiccup)
	if failed > maxFailed && hiccup < busy {
		t.Errorf("%d calls waited in vain, want at most %d", failed, maxFailed)
	}
	if limit := 50*time.Millisecond + slack + 3*hiccup; slowest > limit {
		t.Errorf("the slowest call took %v, want at most %v", slowest, limit)
	}
}

// busy is from when on a machine wakes goroutines too late for counts of slow
// calls to tell anything about the code.
const busy = 15 * time.Millisecond

// late is how late this machine woke a goroutine, at worst.
func (l *load) late() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hiccup
}

func (l *load) add(r callResult) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.results = append(l.results, r)
}

func (l *load) since(from time.Time) []callResult {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []callResult
	for _, r := range l.results {
		if !r.began.Before(from) {
			out = append(out, r)
		}
	}
	return out
}

// resumed is when the first call after from succeeded.
func (l *load) resumed(t testing.TB, from time.Time, within time.Duration) time.Duration {
	t.Helper()
	var took time.Duration
	await(t, within, func() bool {
		for _, r := range l.since(from) {
			if r.err == nil {
				took = r.began.Add(r.took).Sub(from)
				return true
			}
		}
		return false
	}, func() string {
		all := l.since(from)
		return fmt.Sprintf("no success of %d calls; the last error: %v", len(all), all[len(all)-1].err)
	})
	return took
}

// outage is the longest time without a success.
func (l *load) outage(from time.Time) time.Duration {
	longest, last := time.Duration(0), from
	for _, r := range l.since(from) {
		if end := r.began.Add(r.took); r.err == nil {
			longest, last = max(longest, end.Sub(last)), end
		}
	}
	return longest
}

// tally counts what callers felt: failures that took time, refusals that did not.
func tally(results []callResult) (ok, failed, refused int, slowest time.Duration) {
	for _, r := range results {
		slowest = max(slowest, r.took)
		failure, told := errors.AsType[*redisconn.Error](r.err)
		switch {
		case r.err == nil:
			ok++
		case !told || failure.Reason == redisconn.ReasonStalled || failure.Reason == redisconn.ReasonAway:
			refused++
		default:
			failed++
		}
	}
	return ok, failed, refused, slowest
}

// reasons counts the errors.
func reasons(results []callResult) map[string]int {
	out := map[string]int{}
	for _, r := range results {
		if r.err != nil {
			out[r.err.Error()]++
		}
	}
	return out
}
