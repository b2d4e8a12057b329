package breaker

import (
	"net/http"
	"sync"
	"testing"

	"iqgateway/internal/exchange"
)

// bodyless is answered without a body, so that the stages alone are measured.
func bodyless() upstreamFunc {
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}
	return func(*http.Request) (*http.Response, error) { return resp, nil }
}

func benched(b testing.TB) (http.RoundTripper, *http.Request) {
	b.Helper()
	set, err := New(Options{}).Use([]Upstream{usual()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(set.Release)
	o := StageOptions{Judge: judge, Bucket: func(*exchange.Exchange) string { return "authenticated" }}
	req, _ := request(b.Context(), "/")
	return set.Gate(o)(set.Permit(o)(bodyless())), req
}

// BenchmarkClosed is what a closed breaker costs a request; the mutex beside it
// is what any shared count costs at least.
func BenchmarkClosed(b *testing.B) {
	b.Run("gate and permit", func(b *testing.B) {
		stack, req := benched(b)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := stack.RoundTrip(req); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("mutex", func(b *testing.B) {
		var mu sync.Mutex
		count := 0
		for b.Loop() {
			for range 2 { // a permit is taken and ended
				mu.Lock()
				count++
				mu.Unlock()
			}
		}
	})
	b.Run("gate and permit, parallel", func(b *testing.B) {
		stack, _ := benched(b)
		b.RunParallel(func(pb *testing.PB) {
			req, _ := request(b.Context(), "/")
			for pb.Next() {
				_, _ = stack.RoundTrip(req)
			}
		})
	})
	b.Run("mutex, parallel", func(b *testing.B) {
		var mu sync.Mutex
		count := 0
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				for range 2 {
					mu.Lock()
					count++
					mu.Unlock()
				}
			}
		})
	})
}

func TestAClosedBreakerAllocatesThrice(t *testing.T) {
	stack, req := benched(t)
	got := testing.AllocsPerRun(1000, func() {
		if _, err := stack.RoundTrip(req); err != nil {
			t.Error(err)
		}
	})
	if got > 3 {
		t.Errorf("%v allocations", got)
	}
}
