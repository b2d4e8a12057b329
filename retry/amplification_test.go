package retry

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/internal/exchange"
)

// An upstream that fails wholly sees at most 110 % of what is offered, and what
// the budget allows is used. 200 requests per second for a minute.
func TestREL25RetryAmplification(t *testing.T) {
	const rate, seconds = 200, 60
	for name, fail := range map[string]func(ctx context.Context) (*http.Response, error){
		"503": func(context.Context) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusServiceUnavailable, Body: io.NopCloser(strings.NewReader("no")), Header: http.Header{}}, nil
		},
		"resets":              func(context.Context) (*http.Response, error) { return nil, lost(false) },
		"connections refused": func(context.Context) (*http.Response, error) { return nil, refused(false) },
		"timeouts": func(context.Context) (*http.Response, error) {
			<-time.After(5 * time.Second)
			return nil, lost(false)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := defaults()
				s.Budget = 0.1
				var attempts atomic.Int64
				stage := staged(t, Options{}, s, tripper(func(r *http.Request) (*http.Response, error) {
					attempts.Add(1)
					return fail(r.Context())
				}))
				var callers sync.WaitGroup
				for range rate * seconds {
					callers.Go(func() {
						if req, _ := get().request(t); true {
							if resp, err := stage.RoundTrip(req); err == nil {
								_ = resp.Body.Close()
							}
						}
					})
					<-time.After(time.Second / rate)
				}
				callers.Wait()
				const offered = rate * seconds
				if got := attempts.Load(); got > offered*110/100 || got < offered*105/100 {
					t.Errorf("%d attempts for %d requests", got, offered)
				}
			})
		})
	}
}

// In no ten seconds are there more repetitions than the budget allows, however
// the load comes: in bursts, with pauses.
func TestREL25NoBurstOfRepetitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := defaults()
		s.Budget = 0.1
		type at struct {
			when   time.Time
			repeat bool
		}
		var mu sync.Mutex
		var seen []at
		note := func(repeat bool) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, at{time.Now(), repeat})
		}
		o := Options{Hooks: Hooks{Repeated: func(RepeatInfo) { note(true) }}}
		stage := staged(t, o, s, tripper(func(*http.Request) (*http.Response, error) { return nil, refused(false) }))
		var callers sync.WaitGroup
		for second := range 90 {
			for range []int{100, 0, 3, 500, 0, 0, 0, 1}[second%8] {
				note(false)
				callers.Go(func() {
					req, _ := get().request(t)
					_, _ = stage.RoundTrip(req)
				})
			}
			<-time.After(time.Second)
		}
		callers.Wait()
		for i, first := range seen {
			requests, repeats := 0, 0
			for _, s := range seen[i:] {
				if s.when.Sub(first.when) >= 9*time.Second { // the window is nine to ten seconds long
					break
				}
				if s.repeat {
					repeats++
				} else {
					requests++
				}
			}
			before := 0 // the window of the last repetition may have begun earlier
			for _, s := range seen[:i] {
				if !s.repeat && first.when.Sub(s.when) < 10*time.Second {
					before++
				}
			}
			if float64(repeats) > max(1, 0.1*float64(requests+before)) {
				t.Fatalf("%d repetitions for %d + %d requests", repeats, before, requests)
			}
		}
	})
}

// A service with few requests still gets its one.
func TestREL25FewRequestsAreRepeatedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := defaults()
		s.Budget = 0.1
		next := &below{do: always(status(503))}
		stage := staged(t, Options{}, s, next)
		for i := range 3 {
			_, ex, err := get().send(t, stage)
			if err != nil || ex.Retries != 1 || ex.RetryResult != string(ResultBudget) {
				t.Errorf("request %d: %d retries, %q, %v", i, ex.Retries, ex.RetryResult, err)
			}
			<-time.After(slots * slotTime)
		}
		s.Budget = 0
		next = &below{do: always(status(503))}
		if _, ex, err := get().send(t, staged(t, Options{}, s, next)); err != nil || ex.Retries != 0 || ex.RetryResult != string(ResultBudget) {
			t.Errorf("no budget: %d retries, %q, %v", ex.Retries, ex.RetryResult, err)
		}
	})
}

// Retry-After is waited for, in both of its forms, and never undercut; one that
// is long, or ends too late, hands the answer back as it is.
func TestREL25RetryAfterIsObeyed(t *testing.T) {
	date := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	for name, c := range map[string]struct {
		after    func() []string
		date     time.Duration // of the upstream's clock, ahead of ours; 0 = no Date
		deadline time.Duration
		least    time.Duration
		result   Result
	}{
		"seconds":                   {after: func() []string { return []string{"3"} }, least: 3 * time.Second, result: ResultAnswered},
		"a date":                    {after: func() []string { return []string{date(4 * time.Second)} }, least: 3500 * time.Millisecond, result: ResultAnswered},
		"a date of another clock":   {after: func() []string { return []string{date(time.Hour + 2*time.Second)} }, date: time.Hour, least: 2 * time.Second, result: ResultAnswered},
		"the longest of two":        {after: func() []string { return []string{"1", "2"} }, least: 2 * time.Second, result: ResultAnswered},
		"nonsense":                  {after: func() []string { return []string{"soon"} }, result: ResultAnswered},
		"at once":                   {after: func() []string { return []string{"0"} }, result: ResultAnswered},
		"a date that has passed":    {after: func() []string { return []string{date(-time.Hour)} }, result: ResultAnswered},
		"too long":                  {after: func() []string { return []string{"6"} }, result: ResultRetryAfter},
		"a date too far":            {after: func() []string { return []string{date(time.Hour)} }, result: ResultRetryAfter},
		"does not fit the deadline": {after: func() []string { return []string{"3"} }, deadline: 2 * time.Second, result: ResultDeadline},
		"fits, but not the attempt": {after: func() []string { return []string{"3"} }, deadline: 3100 * time.Millisecond, result: ResultDeadline},
		"fits with the attempt":     {after: func() []string { return []string{"3"} }, deadline: 4 * time.Second, least: 3 * time.Second, result: ResultAnswered},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				attempts := 0
				var second time.Duration
				start := time.Now()
				stage := staged(t, Options{}, defaults(), tripper(func(*http.Request) (*http.Response, error) {
					if attempts++; attempts > 1 {
						second = time.Since(start)
						return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Header: http.Header{}}, nil
					}
					<-time.After(500 * time.Millisecond)
					start = time.Now()
					h := http.Header{"Retry-After": c.after()}
					if c.date != 0 {
						h.Set("Date", date(c.date))
					}
					return &http.Response{StatusCode: http.StatusServiceUnavailable, Body: io.NopCloser(strings.NewReader("later")), Header: h}, nil
				}))
				req, ex := get().request(t)
				ctx := req.Context()
				if c.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, 500*time.Millisecond+c.deadline)
					defer cancel()
				}
				resp, err := stage.RoundTrip(req.WithContext(ctx))
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(resp.Body)
				if ex.RetryResult != string(c.result) {
					t.Errorf("result %q, want %q", ex.RetryResult, c.result)
				}
				if c.result != ResultAnswered {
					if attempts != 1 || resp.StatusCode != http.StatusServiceUnavailable || string(body) != "later" || time.Since(start) != 0 {
						t.Errorf("%d attempts, then %d %q after %s", attempts, resp.StatusCode, body, time.Since(start))
					}
					return
				}
				if second < c.least || second > c.least+baseWait || resp.StatusCode != http.StatusOK {
					t.Errorf("repeated after %s, want %s to %s", second, c.least, c.least+baseWait)
				}
			})
		})
	}
}

// No repetition that could not end before the deadline is made: neither the wait
// nor a typical attempt may exceed it.
func TestREL25NoRepetitionPastTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := 400 * time.Millisecond
		var made int
		stage := staged(t, Options{Random: func() float64 { return 0.5 }}, defaults(), tripper(func(r *http.Request) (*http.Response, error) {
			made++
			select {
			case <-time.After(slow):
				return nil, lost(false)
			case <-r.Context().Done():
				return nil, exchange.Refuse(exchange.UpstreamTimeout, "deadline")
			}
		}))
		for deadline, want := range map[time.Duration]int{
			500 * time.Millisecond: 1, 840 * time.Millisecond: 1, 860 * time.Millisecond: 2, 1340 * time.Millisecond: 2, 1400 * time.Millisecond: 3,
		} {
			made = 0
			req, ex := get().request(t)
			ctx, cancel := context.WithTimeout(req.Context(), deadline)
			start := time.Now()
			_, err := stage.RoundTrip(req.WithContext(ctx))
			if made != want || time.Since(start) > deadline || err == nil {
				t.Errorf("%s: %d attempts in %s, want %d (%s)", deadline, made, time.Since(start), want, ex.RetryResult)
			}
			if want < 3 && ex.RetryResult != string(ResultDeadline) {
				t.Errorf("%s: result %q", deadline, ex.RetryResult)
			}
			cancel()
		}
	})
}
