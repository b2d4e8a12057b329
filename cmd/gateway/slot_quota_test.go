package main

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/bulkhead"
	"iqgateway/internal/exchange"
	"iqgateway/limiter"
)

// slowWindows is an upstream with windows of a minute that takes ten seconds to
// answer. It stands below the quota and the slots.
type slowWindows struct {
	limit int
	quick bool        // its first answer comes at once
	first http.Header // of its first answer, which is a 503 then

	mu   sync.Mutex
	sent []time.Time
	used map[time.Time]int
	over int // 429s
}

func (u *slowWindows) RoundTrip(r *http.Request) (*http.Response, error) {
	exchange.From(r.Context()).Attempts++
	u.mu.Lock()
	now := time.Now()
	end := now.Truncate(time.Minute).Add(time.Minute)
	u.used[end]++
	u.sent = append(u.sent, now)
	n, left := len(u.sent), u.limit-u.used[end]
	if left < 0 {
		u.over++
	}
	u.mu.Unlock()
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}
	resp.Header.Set("X-Ratelimit-Limit", strconv.Itoa(u.limit))
	resp.Header.Set("X-Ratelimit-Remaining", strconv.Itoa(max(0, left)))
	resp.Header.Set("X-Ratelimit-Reset", end.UTC().Format("01/02/2006 15:04:05"))
	resp.Header.Set("X-Ratelimit-Resetseconds", strconv.Itoa(int(end.Sub(now).Seconds())))
	if left < 0 {
		resp.StatusCode = http.StatusTooManyRequests
	}
	if n == 1 && u.first != nil {
		resp.StatusCode = http.StatusServiceUnavailable
		maps.Copy(resp.Header, u.first)
	}
	if n > 1 || !u.quick {
		<-time.After(10 * time.Second)
	}
	return resp, nil
}

// slotted is the stages quota and slot, as the pipeline puts them together, in
// front of an upstream with one slot.
type slotted struct {
	*slowWindows
	stage    http.RoundTripper
	limiter  *limiter.Limiter
	returned atomic.Int64 // tokens with which nothing was sent
}

func newSlotted(t *testing.T, up *slowWindows) *slotted {
	t.Helper()
	up.used = map[time.Time]int{}
	s := &slotted{slowWindows: up}
	s.limiter = limiter.New(limiter.Options{Replica: "r1", Hooks: limiter.Hooks{Returned: func(limiter.Name) { s.returned.Add(1) }}})
	key := limiter.Key{Environment: "sim", Service: "crm", Policy: "authenticated", Counted: "client-17"}
	quotas, err := s.limiter.Use([]limiter.Bucket{{Key: key, Settings: limiter.Settings{
		Enforce: true, Assume: int64(up.limit) * 20, MaxWait: [limiter.Classes]time.Duration{time.Minute, 5 * time.Minute, 5 * time.Minute},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	slots, err := bulkhead.NewUpstreams(bulkhead.UpstreamsOptions{}).Use([]bulkhead.Upstream{{
		Key: bulkhead.Key{Environment: "sim", Service: "crm"}, Origin: "https://crm.example", MaxInFlight: 1,
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.stage = chain(
		quotas.Stage(limiter.StageOptions{Bucket: func(*exchange.Exchange) (limiter.Key, bool) { return key, true }}),
		slots.Stage(),
	)(http.RoundTripper(up))
	return s
}

// send sends one request and reads its answer.
func (s *slotted) send(ctx context.Context) (int, error) {
	ex := &exchange.Exchange{
		Caller: &exchange.Caller{Name: "pos"}, Class: "batch",
		Target: &exchange.Target{Environment: "sim", Service: "crm", Policy: "authenticated"},
	}
	req, err := http.NewRequestWithContext(exchange.With(ctx, ex), http.MethodGet, "https://crm.example/v1/x", nil)
	if err != nil {
		return 0, err
	}
	resp, err := s.stage.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// later returns the moments, counted from since, at which requests reached the
// upstream.
func (s *slotted) later(since time.Time) (all []time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range s.sent {
		all = append(all, at.Sub(since).Round(time.Second))
	}
	return all
}

// bubbled runs f so many seconds before a window's end, in virtual time.
func bubbled(t *testing.T, before time.Duration, up *slowWindows, f func(t *testing.T, s *slotted, since time.Time)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		<-time.After(time.Until(time.Now().Truncate(time.Minute).Add(2*time.Minute - before)))
		s := newSlotted(t, up)
		f(t, s, time.Now())
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.limiter.Close(ctx); err != nil {
			t.Error(err)
		}
	})
}

// What waits for a slot when the upstream asks for a pause is not sent into it,
// although it has its token.
func TestASlotThatComesInAPauseIsNotUsed(t *testing.T) {
	bubbled(t, 50*time.Second, &slowWindows{limit: 100, first: http.Header{"Retry-After": {"15"}}}, func(t *testing.T, s *slotted, since time.Time) {
		var all sync.WaitGroup
		for _, want := range []int{http.StatusServiceUnavailable, http.StatusOK} {
			all.Go(func() {
				if status, err := s.send(t.Context()); status != want {
					t.Errorf("%d %v, want %d", status, err, want)
				}
			})
			synctest.Wait()
		}
		all.Wait()
		if got := s.later(since); len(got) != 2 || got[0] != 0 || got[1] != 25*time.Second {
			t.Errorf("the upstream was asked at %v; it asked for 15 s after 10", got)
		}
	})
}

// A token is of the window in which its request is sent: one whose request has
// waited for a slot over the window's end goes back, and the next window's
// accounts have another.
func TestATokenOfAWindowThatIsOverGoesBack(t *testing.T) {
	bubbled(t, 50*time.Second, &slowWindows{limit: 10, quick: true}, func(t *testing.T, s *slotted, since time.Time) {
		if status, err := s.send(t.Context()); status != http.StatusOK { // it names the window
			t.Fatal(status, err)
		}
		<-time.After(45 * time.Second)
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				if status, err := s.send(t.Context()); status != http.StatusOK {
					t.Error(status, err)
				}
			})
			synctest.Wait()
		}
		all.Wait()
		if got := s.later(since); len(got) != 3 || got[2] != 55*time.Second || s.over != 0 || s.returned.Load() != 1 {
			t.Errorf("the upstream was asked at %v and refused %d, %d tokens went back", got, s.over, s.returned.Load())
		}
		<-time.After(2 * time.Second) // the fleet has heard of it
		v, err := s.limiter.View(t.Context(), "sim/crm/authenticated")
		if err != nil || v.Err != nil || v.Snapshot.Own != 1 || len(v.Snapshot.Callers) != 1 || v.Snapshot.Callers[0].Spent != 1 {
			t.Errorf("the window has %+v %v", v.Snapshot, err)
		}
	})
}

// The caller's time is one for both waits: what the quota took of it, the slot
// has no more.
func TestWaitsForQuotaAndSlotShareOneDeadline(t *testing.T) {
	bubbled(t, 50*time.Second, &slowWindows{limit: 100, first: http.Header{"Retry-After": {"15"}}}, func(t *testing.T, s *slotted, since time.Time) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		var first sync.WaitGroup
		first.Go(func() { _, _ = s.send(t.Context()) })
		synctest.Wait()
		_, err := s.send(ctx)
		p, ok := errors.AsType[*exchange.Problem](err)
		if !ok || p.Type != exchange.QuotaExceeded || p.Outcome != exchange.NotExecuted || time.Since(since) > 20*time.Second {
			t.Errorf("after %s: %v", time.Since(since), err)
		}
		first.Wait()
		if n := len(s.later(since)); n != 1 || s.returned.Load() != 1 {
			t.Errorf("%d were sent, %d tokens went back", n, s.returned.Load())
		}
	})
}
