package breaker

import (
	"net/http"
	"testing"
	"time"
)

func with(status int, fields ...string) upstreamFunc {
	return func(*http.Request) (*http.Response, error) {
		resp := answer(status, "text")
		for i := 0; i < len(fields); i += 2 {
			resp.Header.Set(fields[i], fields[i+1])
		}
		return resp, nil
	}
}

func throttled429(r *replica) (Status, bool) {
	for _, s := range r.List() {
		if s.Key.Bucket == "authenticated" {
			return s, true
		}
	}
	return Status{}, false
}

func TestThrottleBreaker(t *testing.T) {
	alone(t, usual(), func(r *replica) {
		r.many(5, "/")
		if _, there := throttled429(r); there {
			t.Error("it is there before the first 429")
		}
		r.become(always(429))
		r.many(2, "/")
		r.become(always(200))
		r.passes() // not in a row
		r.become(always(429))
		r.many(2, "/")
		r.passes()
		if s, _ := throttled429(r); s.State != Open || s.Reason != ReasonThrottled {
			t.Fatalf("%+v", s)
		}
		r.is(Closed) // that of the upstream
		p := r.refused()
		if p.Extra["reason"] != "throttled" || p.RetryAfter < 8*time.Second {
			t.Errorf("%+v", p)
		}
		for range 3 { // its time does not double
			s, _ := throttled429(r)
			if s.OpenFor < 8*time.Second || s.OpenFor > 10*time.Second {
				t.Errorf("open for %s", s.OpenFor)
			}
			rest(s.OpenFor)
			r.passes() // the probe, with one more 429
			r.refuses()
		}
		s, _ := throttled429(r)
		rest(s.OpenFor)
		r.become(always(200))
		r.passes()
		r.many(100, "/") // without a ramp
		if s, _ := throttled429(r); s.State != Closed {
			t.Errorf("%+v", s)
		}
	})
}

// The quota deals with a 429 that tells its reset, and with buckets of requests
// at once, which have no name here.
func TestThrottleBreakerLeavesTheQuotaItsOwn(t *testing.T) {
	alone(t, usual(), func(r *replica) {
		r.become(with(429, "Retry-After", "3"))
		r.many(50, "/")
		r.become(with(429, "X-RateLimit-Remaining", "0", "X-RateLimit-ResetSeconds", "20"))
		r.many(50, "/")
		if s, there := throttled429(r); there && s.State != Closed {
			t.Errorf("%+v", s)
		}
		r.passes()
	})
	u := usual()
	bs := New(Options{})
	set, err := bs.Use([]Upstream{u})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Release()
	for range 20 {
		req, _ := request(t.Context(), "/")
		resp, err := set.Permit(StageOptions{})(always(429)).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	if n := len(bs.List()); n != 1 {
		t.Errorf("%d breakers", n)
	}
}

// The permit of the upstream goes back when the bucket's is refused.
func TestBothPermitsOrNone(t *testing.T) {
	alone(t, usual(), func(r *replica) {
		r.become(always(429))
		r.many(3, "/")
		b := r.find(key())
		r.become(always(500))
		rest(11 * time.Second)
		r.many(1, "/") // a 500 is no 429: the bucket's closes
		r.many(25, "/")
		r.is(Open)
		rest(time.Second)
		r.become(always(429)) // to the upstream's probe this tells nothing
		r.many(4, "/")
		if s, _ := throttled429(r); s.State != Open {
			t.Fatalf("%+v", s)
		}
		r.refuses()
		if n := len(b.probes); n != 0 {
			t.Errorf("%d probes are still out", n)
		}
	})
}
