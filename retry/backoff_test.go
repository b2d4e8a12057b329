package retry

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Full jitter: any wait from nothing to the bound is as likely as any other.
func TestREL25FullJitter(t *testing.T) {
	const samples, bins = 20_000, 10
	random := rand.New(rand.NewPCG(1, 2))
	for attempt, longest := range map[int]time.Duration{
		1: 100 * time.Millisecond, 2: 200 * time.Millisecond, 3: 400 * time.Millisecond, 5: 1600 * time.Millisecond,
		6: 2 * time.Second, 10: 2 * time.Second, 64: 2 * time.Second, 1 << 40: 2 * time.Second,
	} {
		var found [bins]int
		for range samples {
			wait := backoff(attempt, random.Float64())
			if wait < 0 || wait >= longest {
				t.Fatalf("attempt %d: %s is not within %s", attempt, wait, longest)
			}
			found[int(wait*bins/longest)]++
		}
		for i, n := range found { // 2000 each; six standard deviations
			if n < 1740 || n > 2260 {
				t.Errorf("attempt %d: %d of %d waits in bin %d", attempt, n, samples, i)
			}
		}
	}
}

// Requests that fail together do not come back together.
func TestREL25RepetitionsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const callers = 500
		start := time.Now()
		waits := make(chan time.Duration, callers)
		next := tripper(func(r *http.Request) (*http.Response, error) {
			if time.Since(start) == 0 {
				return nil, refused(false)
			}
			waits <- time.Since(start)
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
		})
		stage := staged(t, Options{}, defaults(), next)
		for range callers {
			go func() {
				req, _ := get().request(t)
				_, _ = stage.RoundTrip(req)
			}()
		}
		all := make([]time.Duration, callers)
		for i := range all {
			all[i] = <-waits
		}
		slices.Sort(all)
		if lower, upper := all[callers/4], all[callers*3/4]; lower > 40*time.Millisecond || upper < 60*time.Millisecond {
			t.Errorf("half of them came back between %s and %s", lower, upper)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range [][2]string{
		{"5", ""},
		{"99999999999999999999", "x"},
		{"-1", ""},
		{"Tue, 30 Oct 2018 18:59:20 GMT", "Tue, 30 Oct 2018 18:58:20 GMT"},
		{"Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT"},
	} {
		f.Add(seed[0], seed[1], int64(1540925900))
	}
	f.Fuzz(func(t *testing.T, value, date string, now int64) {
		h := http.Header{"Retry-After": {value, "1"}, "Date": {date}}
		if wait := retryAfter(h, time.Unix(now, 0)); wait < time.Second {
			t.Errorf("%q, %q: %s is less than what the other field asks for", value, date, wait)
		}
	})
}
