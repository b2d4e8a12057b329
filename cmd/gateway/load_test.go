package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// sample is one call of a load.
type sample struct {
	begun  time.Time
	took   time.Duration
	status int
	text   string // of an answer that was not 200, or the error
}

// load is a stream of calls at a fixed rate, each begun on time whether or not
// the earlier ones have ended, so that a stall shows in all of them.
type load struct {
	stop func() []sample // ends the load and returns every call
}

// drive begins rate calls a second, spread over the replicas that pick returns.
func (f *replicas) drive(t *testing.T, rate int, target string) load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var samples []sample
	var calls sync.WaitGroup
	done := make(chan struct{})
	replicas := slices.Clone(f.all)
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			calls.Go(func() {
				s := sample{begun: time.Now()}
				status, text, err := f.call(context.WithoutCancel(ctx), replicas[i%len(replicas)], http.MethodGet, target, "")
				s.took, s.status = time.Since(s.begun), status
				if err != nil {
					s.text = err.Error()
				} else if status != http.StatusOK {
					s.text = text
				}
				mu.Lock()
				defer mu.Unlock()
				samples = append(samples, s)
			})
		}
	}()
	return load{stop: func() []sample {
		cancel()
		<-done
		calls.Wait()
		mu.Lock()
		defer mu.Unlock()
		return samples
	}}
}

// failures describes the calls that did not end with 200, at most a few.
func failures(samples []sample) (n int, some []string) {
	for _, s := range samples {
		if s.status == http.StatusOK {
			continue
		}
		if n++; len(some) < 5 {
			some = append(some, fmt.Sprintf("%s: %d %.300s", s.begun.Format("05.000"), s.status, s.text))
		}
	}
	return n, some
}

// wantNoFailure fails the test for any call that did not end with 200.
func wantNoFailure(t *testing.T, what string, samples []sample) {
	t.Helper()
	if n, some := failures(samples); n > 0 || len(samples) == 0 {
		t.Errorf("%s: %d of %d calls failed: %q", what, n, len(samples), some)
	}
}

// percentile returns the p-th percentile (0 to 1) of the times of calls that
// began in [from, to).
func percentile(samples []sample, p float64, from, to time.Time) time.Duration {
	var times []time.Duration
	for _, s := range samples {
		if !s.begun.Before(from) && s.begun.Before(to) {
			times = append(times, s.took)
		}
	}
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[min(int(p*float64(len(times))), len(times)-1)]
}
